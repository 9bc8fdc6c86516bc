"""Columns from a file: JSON lines, CSV, or numpy's npz."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldpress_build.errors import DataError

Column = NDArray[Any]
"""First dimension: rows. Strings are `str` objects."""


def read_table(path: Path) -> dict[str, Column]:
    """The columns of a file, by name.

    `.jsonl`: one object a line, all with the same keys; lists become further dimensions. `.csv`: a header
    line; a column whose values are all numbers is numeric. `.npz`: numpy's own, without pickled objects.

    Raises:
        DataError: no such file, another ending, or rows that do not make columns.
    """
    readers = {".jsonl": _jsonl, ".csv": _csv, ".npz": _npz}
    if path.suffix not in readers:
        raise DataError(f"{path}: data files end with {', '.join(readers)}, not {path.suffix or 'nothing'!r}")
    try:
        table = readers[path.suffix](path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path} is not what {path.suffix} means: {error}") from error
    counts = {name: len(column) for name, column in table.items()}
    if not counts or 0 in counts.values():
        raise DataError(f"{path} has no rows")
    if len(set(counts.values())) > 1:
        raise DataError(f"{path}: the columns have different numbers of rows: {counts}")
    return table


def column(table: dict[str, Column], name: str, path: Path, wanted_for: str) -> Column:
    """The column `name`. Raises `DataError` with the columns there are."""
    if name not in table:
        raise DataError(f"{path} has no column {name!r} ({wanted_for}); it has {', '.join(map(repr, table))}")
    return table[name]


def _jsonl(path: Path) -> dict[str, Column]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        row = json.loads(line)
        if not isinstance(row, dict) or (rows and row.keys() != rows[0].keys()):
            keys = f" with the keys {', '.join(rows[0])}" if rows else ""
            raise ValueError(f"line {number} is no object{keys}")
        rows.append(row)
    return {name: _column(name, [row[name] for row in rows]) for name in (rows[0] if rows else {})}


def _column(name: str, values: list[Any]) -> Column:
    try:
        found = np.array(values)
    except ValueError as error:
        raise ValueError(f"the values of {name!r} have different shapes; pad them to one length") from error
    return found.astype(object) if found.dtype.kind == "U" and _all_text(values) else _numeric(name, found)


def _numeric(name: str, found: Column) -> Column:
    if found.dtype.kind not in "biuf":
        raise ValueError(
            f"{name!r} mixes text with numbers or holds null; give every row a value of one type"
        )
    return found


def _all_text(values: Any) -> bool:
    return all(_all_text(value) if isinstance(value, list) else isinstance(value, str) for value in values)


def _csv(path: Path) -> dict[str, Column]:
    reader = csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline=""), strict=True)
    header = next(reader, [])
    rows = [row for row in reader if row]
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} fields, the header has {len(header)}")
    if len(set(header)) != len(header):
        raise ValueError(f"a column name comes twice in the header {header}")
    return {name: _parsed([row[index] for row in rows]) for index, name in enumerate(header)}


def _parsed(values: list[str]) -> Column:
    for kind in (np.int64, np.float64):
        try:
            return np.array([kind(value) for value in values], kind)
        except (ValueError, OverflowError):
            continue
    return np.array(values, object)


def _npz(path: Path) -> dict[str, Column]:
    with np.load(path, allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    return {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in found.items()}
