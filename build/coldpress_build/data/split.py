"""Three parts of a data set, with the same shares of the classes in each."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from coldpress_build.data.texts import LabelledTexts
from coldpress_build.errors import DataError


@dataclass(frozen=True)
class Parts:
    """`train` is fitted on, `validation` chooses (epoch, seed, candidate), `test` is only reported."""

    train: LabelledTexts
    validation: LabelledTexts
    test: LabelledTexts

    def counts(self) -> dict[str, int]:
        """Rows by part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def split(data: LabelledTexts, validation: float, test: float, seed: int, limit: int = 0) -> Parts:
    """Divide `data`; `validation` and `test` are shares of its rows, `limit` > 0 first draws so many rows.

    The same seed gives the same parts on every machine.

    Raises:
        DataError: too few rows for each class to be in each part.
    """
    labels = np.asarray(data.labels)
    rows = np.arange(len(labels))
    rarest, count = min(Counter(data.labels).items(), key=lambda item: item[1])
    try:
        if 0 < limit < len(rows):
            rows, _ = train_test_split(rows, train_size=limit, stratify=labels, random_state=seed)
        # Whole numbers: 0.2 + 0.1 is a little more than 0.3, and would be rounded up.
        held, tested = round(len(rows) * validation), round(len(rows) * test)
        train, rest = train_test_split(
            rows, test_size=held + tested, stratify=labels[rows], random_state=seed
        )
        chosen, last = train_test_split(rest, test_size=tested, stratify=labels[rest], random_state=seed)
    except ValueError as error:
        raise DataError(
            f"{data.name}: {len(rows)} rows, {count} of class {data.classes[rarest]!r}, cannot be divided "
            f"with validation={validation} and test={test}: {error}"
        ) from error
    return Parts(*(data.take(part.tolist()) for part in (train, chosen, last)))
