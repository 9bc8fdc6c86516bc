"""Three parts of a data set, with the same shares of the classes (if any) in each."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.errors import DataError


@dataclass(frozen=True)
class Parts:
    """`train` is fitted on, `validation` chooses (epoch, seed, candidate), `test` is only reported."""

    train: Dataset
    validation: Dataset
    test: Dataset

    def counts(self) -> dict[str, int]:
        """Rows by part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def split(data: Dataset, validation: float, test: float, seed: int, limit: int = 0) -> Parts:
    """Divide `data`; `validation` and `test` are shares of its rows, `limit` > 0 first draws so many rows.

    The same seed gives the same parts on every machine.

    Raises:
        DataError: too few rows for each part, or for each class to be in each part; a part of values that are
            all the same.
    """
    rows = np.arange(len(data))

    def divided(rows: Array, second: int, alike: bool = True) -> tuple[Array, Array]:
        classes = data.target[rows] if data.classes and alike else None
        one, other = train_test_split(rows, test_size=second, stratify=classes, random_state=seed)
        return one, other

    try:
        if 0 < limit < len(rows):
            # What is left out is no part: it need not have a row of each class.
            rows, _ = divided(rows, (left := len(rows) - limit), alike=left >= len(data.classes))
        # Whole numbers: 0.2 + 0.1 is a little more than 0.3, and would be rounded up.
        held, tested = round(len(rows) * validation), round(len(rows) * test)
        train, rest = divided(rows, held + tested)
        chosen, last = divided(rest, tested)
    except ValueError as error:
        raise DataError(
            f"{data.name}: {len(rows)} rows{_rarest(data)} cannot be divided with validation={validation} "
            f"and test={test}; give more rows{', or leave out classes of few rows' if data.classes else ''}"
        ) from error
    if not data.classes:
        parts = {
            f"training part (what validation={validation} and test={test} leave)": train,
            f"validation part (validation={validation})": chosen,
            f"test part (test={test})": last,
        }
        check_values(data, parts)
    return Parts(data.take(train), data.take(chosen), data.take(last))


def check_values(data: Dataset, parts: Mapping[str, Array]) -> None:
    """Raises `DataError` if the target is the same in all rows of one of the `parts`, in words -> positions.

    The spread of such a part is 0: no training can divide by it, and no R² either. All the rows together do
    vary (see `Dataset.valued`), but few of them may, as of a target that is nearly always 0.
    """
    for part, rows in parts.items():
        values = data.target[rows]
        if (values == values[0]).all():
            raise DataError(
                f"{data.name}: the target is {values[0]} in all rows of the {part}, {len(rows)} in number, "
                "and each part needs two different values; give more rows or a larger share, or divide them "
                "otherwise by another seed"
            )


def _rarest(data: Dataset) -> str:
    if not data.classes:
        return ""
    counts = np.bincount(data.target, minlength=len(data.classes))
    return f", {counts.min()} of class {data.classes[counts.argmin()]!r},"
