"""A user's file, or a packaged set, as a data set."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.tables import READERS, Column, as_names, column, read_table
from coldpress_build.errors import DataError

TARGETS = ("label", "target")
MOST_CLASSES = 1000


def load(
    source: str,
    read: Callable[[Path], Dataset],
    *,
    target: str = "",
    ignore: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> Dataset:
    """The packaged set of that name, else what `read` makes of the file.

    `target`, `ignore` and `categories` are for the packaged set; in a file, `read` sees to them.

    Raises:
        DataError: it is neither; a packaged set has no such column.
    """
    from coldpress_build.data.packaged import PACKAGED

    name = source.lower().replace("_", "-")
    if name in PACKAGED:
        check_target(name, target)
        return _of_columns(PACKAGED[name](), ignore, categories)
    if Path(source).suffix not in READERS and not Path(source).exists():
        raise DataError(
            f"there is no data {source!r}: give a file that ends with {', '.join(READERS)}, or one of the "
            f"packaged sets {', '.join(PACKAGED)}"
        )
    return read(Path(source))


def check_target(name: str, target: str) -> None:
    """Raises `DataError` for a target that the packaged set of that name does not have."""
    if target and target not in TARGETS:
        raise DataError(
            f"target={target}: the packaged set {name} has one thing to answer, which is no column; leave "
            "out target, or give a file with that column"
        )


def _of_columns(data: Dataset, ignore: Sequence[str], categories: Sequence[str]) -> Dataset:
    there, path = dict(data.columns), Path(data.name)
    for name in (*ignore, *categories):
        column(there, name, path, f"named by {'ignore' if name in ignore else 'categories'}")
    columns = {
        name: np.array([str(value) for value in found.tolist()], object) if name in categories else found
        for name, found in there.items()
        if name not in ignore
    }
    if not columns:
        raise DataError(f"{data.name} has no column left to learn from; take some out of ignore")
    left = {name: there[name] for name in ignore}
    return replace(data, columns=columns, beside={**data.beside, **left})


def target_of(table: dict[str, Column], wanted: str, path: Path) -> str:
    """The column with the answers: the one that is asked for, else `label` or `target`.

    Raises:
        DataError: there is none of that name.
    """
    name = wanted or next((name for name in TARGETS if name in table), TARGETS[0])
    column(table, name, path, "the answer of each row; --target names another")
    return name


def labels_of(
    table: dict[str, Column], wanted: str, path: Path
) -> tuple[list[str], list[int], tuple[str, ...]]:
    """Class names of the rows that have one, those rows' positions, and a note if there are others.

    Raises:
        DataError: no such column, or values in place of classes.
    """
    name = target_of(table, wanted, path)
    target = as_names(table, name, path)
    kept, notes = present(target, name)
    values = target[kept].tolist()
    fractions = target.dtype.kind == "f" and any(not value.is_integer() for value in values)
    count = len(set(values))
    if fractions or count > MOST_CLASSES:
        raise DataError(
            f"{path}: {name!r} has {count:,} different values such as {values[0]!r}, which are no classes; "
            "--target names another column, and the recipe regressor learns values"
        )
    labels = [str(int(value)) if target.dtype.kind == "f" else str(value) for value in values]
    return labels, kept, notes


def values_of(table: dict[str, Column], wanted: str, path: Path) -> tuple[Array, list[int], tuple[str, ...]]:
    """Values of the rows that have one, those rows' positions, and a note if there are others.

    Raises:
        DataError: no such column, or it holds no numbers.
    """
    name = target_of(table, wanted, path)
    target = table[name]
    if target.ndim != 1 or target.dtype.kind not in "iuf":
        raise DataError(
            f"{path}: {name!r} holds {target.tolist()[0]!r}, which is no number; --target names another "
            "column"
        )
    kept, notes = present(target, name)
    return target[kept], kept, notes


def present(target: Column, name: str) -> tuple[list[int], tuple[str, ...]]:
    """Positions of the rows that have an answer, and a note if there are others.

    Raises:
        DataError: the target has more than one value a row.
    """
    if target.ndim != 1:
        raise DataError(f"the target {name!r} must hold one value a row, not {list(target.shape[1:])}")
    if target.dtype.kind == "f":
        there = ~np.isnan(target)
    else:
        there = np.array([value not in ("", None) for value in target.tolist()], bool)
    gone = len(target) - int(there.sum())
    return np.flatnonzero(there).tolist(), (f"{gone} rows without {name} left out",) if gone else ()


def read_texts(path: Path, target: str = "") -> Dataset:
    """A file with the columns `text` and `target` (else `label` or `target`); the data set has the file's
    name.

    Raises:
        DataError: see `read_table`; a column is missing; fewer than two classes; a text that is no text.
    """
    table = read_table(path)
    texts = column(table, "text", path, "what is classified")
    answer = target_of(table, target, path)
    for number, text in enumerate(texts.tolist(), 1):
        if not isinstance(text, str):
            raise DataError(f"{path}: the text of row {number} is {text!r}, which is no text")
    labels, kept, notes = labels_of(table, answer, path)
    found = Dataset.labelled(path.stem, {"text": texts[kept]}, labels, notes)
    return _with_others(found, table, kept, answer)


def read_rows(
    path: Path, target: str, *, values: bool, ignore: Sequence[str] = (), categories: Sequence[str] = ()
) -> Dataset:
    """A file whose other columns are what the target depends on: numbers, true or false, or category names.

    `values`: the target holds numbers, not classes. `ignore`: columns to leave out. `categories`: columns
    whose numbers are names.

    Raises:
        DataError: see `read_table`, `labels_of` and `values_of`; a column that is named is missing; there is
            none beside the target.
    """
    table = read_table(path)
    for name in (*ignore, *categories):
        column(table, name, path, "to be left out" if name in ignore else "to be read as categories")
    # Here alone the last column will do: beside a text, a sequence or a picture it could be anything.
    last = not target and not any(name in table for name in TARGETS)
    answer = target_of(table, list(table)[-1] if last else target, path)
    if values:
        numbers, kept, notes = values_of(table, answer, path)
    else:
        labels, kept, notes = labels_of(table, answer, path)
    columns = {
        name: _feature(name, table, kept, path, named=name in categories)
        for name in table
        if name != answer and name not in ignore
    }
    if not columns:
        raise DataError(f"{path} has no column beside {answer!r} to learn from")
    notes += _repeated(columns, answer)
    if values:
        found = Dataset.valued(path.stem, columns, numbers, notes)
    else:
        found = Dataset.labelled(path.stem, columns, labels, notes)
    return _with_others(found, table, kept, answer)


def _with_others(found: Dataset, table: dict[str, Column], kept: list[int], answer: str) -> Dataset:
    """With the columns of one value a row that nothing is learned from, for an evaluation to slice by."""
    others = {
        name: column[kept]
        for name, column in table.items()
        if name != answer and name not in found.columns and column.ndim == 1
    }
    return replace(found, beside=others)


def _feature(name: str, table: dict[str, Column], kept: list[int], path: Path, *, named: bool) -> Array:
    found = as_names(table, name, path) if named else table[name]
    if found.ndim > 2 or (found.dtype == object and found.ndim > 1):
        raise DataError(
            f"{path}: {name!r} holds {list(found.shape[1:])} values a row; leave it out by ignore"
        )
    if named or found.dtype == object:
        return np.array([str(value) for value in found[kept].tolist()], object)
    if found.dtype == bool:
        return found[kept]
    with np.errstate(over="ignore"):  # it becomes infinite, and is told here
        numbers = found[kept].astype(np.float32)
    endless = np.isinf(numbers).any(tuple(range(1, numbers.ndim)))
    if endless.any():
        row = kept[int(endless.argmax())]
        raise DataError(
            f"{path}: {name!r} is {found[row].tolist()} in row {row + 1}; numbers must be within ±3.4e38 "
            "(32 bits); correct it, or leave it empty for a missing one"
        )
    return numbers


def _repeated(columns: dict[str, Array], answer: str) -> tuple[str, ...]:
    rows = list(zip(*(column.tolist() for column in columns.values()), strict=True))
    again = len(rows) - len({str(row) for row in rows})
    return (f"{again} rows have the same columns beside {answer} as another",) if again else ()
