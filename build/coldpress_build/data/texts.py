"""Texts with a label each."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from coldpress_build.errors import DataError


@dataclass(frozen=True)
class LabelledTexts:
    """`labels[i]` is the index into `classes` of `texts[i]`. `notes` say what was done to the raw rows."""

    name: str
    texts: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, name: str, texts: Sequence[str], labels: Sequence[str], notes: Iterable[str] = ()
    ) -> "LabelledTexts":
        """Rows with class names as labels; the classes are those names, sorted.

        Raises:
            DataError: no rows, or fewer than two classes.
        """
        classes = tuple(sorted(set(labels)))
        if len(classes) < 2:
            found = f"all {len(texts)} rows are {classes[0]!r}" if classes else "it has no rows"
            raise DataError(f"{name}: {found}; a classifier needs rows of two classes or more")
        index = {label: number for number, label in enumerate(classes)}
        return cls(name, tuple(texts), tuple(index[label] for label in labels), classes, tuple(notes))

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Iterable[int]) -> "LabelledTexts":
        """The rows at these positions, in that order."""
        chosen = list(rows)
        return LabelledTexts(
            self.name,
            tuple(self.texts[row] for row in chosen),
            tuple(self.labels[row] for row in chosen),
            self.classes,
            self.notes,
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, over the rows in order, each as the JSON line `[label, text]`."""
        digest = hashlib.sha256()
        for text, label in zip(self.texts, self.labels, strict=True):
            digest.update(json.dumps([self.classes[label], text], ensure_ascii=False).encode() + b"\n")
        return digest.hexdigest()

    @property
    def reference(self) -> str:
        """`name@fingerprint`, short enough to read."""
        return f"{self.name}@{self.fingerprint[:16]}"
