"""Columns from a file: JSON lines, CSV, Parquet, or numpy's npz."""

import csv
import io
import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldpress_build.errors import DataError

Column = NDArray[Any]
"""First dimension: rows. Strings are `str` objects; a missing one is empty, a missing number NaN."""

_PLAIN = (str, int, float, list, type(None))  # a bool is an int

MISSING = frozenset({"", "na", "n/a", "null", "none", "nan"})
"""What stands for a missing number in CSV, in small letters."""

_PADDED = re.compile(r"\s*[+-]?0\d+\s*")
"""A number as nobody writes a quantity: 007 and 7 are two names."""


def read_table(path: Path) -> dict[str, Column]:
    """The columns of a file, by name.

    `.jsonl`: one object a line, all with the same keys; lists become further dimensions, null is missing.
    `.csv`: a header line; a column whose values are all numbers or missing is numeric, one whose values are
    all true or false is boolean. `.parquet`: as in JSON lines. `.npz`: numpy's own, without pickled objects.

    Raises:
        DataError: no such file, another ending, or rows that do not make columns.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; this takes one file that ends with {', '.join(READERS)}")
    if path.suffix not in READERS:
        raise DataError(f"{path}: data files end with {', '.join(READERS)}, not {path.suffix or 'nothing'!r}")
    try:
        table = READERS[path.suffix](path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except DataError:
        raise
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
        others = ", ".join(map(repr, table)) or "no other"
        raise DataError(f"{path} has no column {name!r} ({wanted_for}); it has {others}")
    return table[name]


def as_names(table: dict[str, Column], name: str, path: Path) -> Column:
    """The column `name` of `read_table(path)`, where its values are names: numbers with leading zeros, such
    as 007, as they are written in the file."""
    found = table[name]
    if path.suffix != ".csv" or found.dtype.kind not in "if":
        return found
    # Read once more: for nearly every file and column the numbers are all that is needed.
    written = _cells(path)[name]
    if not any(_PADDED.fullmatch(text) for text in written):
        return found
    return np.array(["" if _missing(text) else text.strip() for text in written], object)


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a `.jsonl` file, one a line.

    Raises:
        DataError: it cannot be read, has no rows, or a line is no object with the first one's keys.
    """
    if path.suffix != ".jsonl":
        raise DataError(f"{path}: this takes a .jsonl file, not {path.suffix or 'nothing'!r}")
    try:
        rows = _objects(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is not what .jsonl means: {error}") from error
    if not rows:
        raise DataError(f"{path} has no rows")
    return rows


def _objects(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    # Not splitlines: JSON's strings may hold what Unicode calls a line's end, such as U+2028.
    for number, line in enumerate(path.read_text("utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        row = json.loads(line)
        if "\\ud" in line.lower() and not _encodes(row):
            raise ValueError(
                f"line {number} holds half a character, such as \\ud83d without what follows; write it "
                "whole, or leave it out"
            )
        if not isinstance(row, dict) or (rows and row.keys() != rows[0].keys()):
            keys = f" with the keys {', '.join(rows[0])}" if rows else ""
            raise ValueError(f"line {number} is no object{keys}")
        rows.append(row)
    return rows


def _encodes(row: Any) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _jsonl(path: Path) -> dict[str, Column]:
    rows = _objects(path)
    return {name: _column(name, [row[name] for row in rows]) for name in (rows[0] if rows else {})}


def _column(name: str, values: list[Any]) -> Column:
    if None in values:
        present = [value for value in values if value is not None]
        if all(isinstance(value, str) for value in present):
            return np.array([value or "" for value in values], object)
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present):
            return np.array([np.nan if value is None else value for value in values], np.float64)
    try:
        found = np.array(values)
    except ValueError as error:
        raise ValueError(f"the values of {name!r} have different shapes; pad them to one length") from error
    return found.astype(object) if found.dtype.kind == "U" and _all_text(values) else _numeric(name, found)


def _numeric(name: str, found: Column) -> Column:
    odd = [value for value in found.flat if not isinstance(value, _PLAIN)] if found.dtype == object else []
    if odd:  # dates and decimals, from Parquet
        raise ValueError(f"{name!r} holds {odd[0]!r}, which is neither text nor a number; convert it to one")
    if found.dtype.kind not in "biuf":
        raise ValueError(
            f"{name!r} mixes text with numbers, or holds null among lists or true and false; give every row "
            "a value of one type"
        )
    return found


def _all_text(values: Any) -> bool:
    return all(_all_text(value) if isinstance(value, list) else isinstance(value, str) for value in values)


def _csv(path: Path) -> dict[str, Column]:
    return {name: _parsed(values) for name, values in _cells(path).items()}


def _cells(path: Path) -> dict[str, list[str]]:
    text = path.read_text("utf-8-sig")
    # A text may be longer than csv's 131,072 characters. The limit is the process's: it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = next(reader, [])
    rows = [row for row in reader if row]
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} fields, the header has {len(header)}")
    if len(set(header)) != len(header):
        raise ValueError(f"a column name comes twice in the header {header}")
    return {name: [row[index] for row in rows] for index, name in enumerate(header)}


def _missing(text: str) -> bool:
    return text.strip().lower() in MISSING


def _parsed(values: list[str]) -> Column:
    missing = [_missing(value) for value in values]
    if not all(missing):
        filled = ["nan" if gone else value for value, gone in zip(values, missing, strict=True)]
        for kind in (np.int64, np.float64):
            try:
                return np.array([kind(value) for value in filled], kind)
            except (ValueError, OverflowError):
                continue
    small = {value.strip().lower() for value in values}
    if small <= {"true", "false"}:
        return np.array([value.strip().lower() == "true" for value in values])
    return np.array(values, object)


def _parquet(path: Path) -> dict[str, Column]:
    from pyarrow import parquet  # 0.2 s

    with path.open("rb") as file:  # by its name, it could also be a folder of them or a URL
        table = parquet.read_table(file)
    if len(set(table.column_names)) != table.num_columns:
        raise ValueError(f"a column name comes twice in {table.column_names}")
    return {name: _column(name, table[name].to_pylist()) for name in table.column_names}


def _npz(path: Path) -> dict[str, Column]:
    # np.load would also take a single array, and calls whatever else there is pickled data.
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is no archive of arrays as numpy.savez writes it, or not all of one")
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the archive is damaged: {error}") from error
    for name, array in found.items():
        if np.ndim(array) == 0:  # numpy gives a file that is no array as bytes
            raise ValueError(f"{name!r} in it is no array of rows")
    return {name: _text(name, array) if array.dtype.kind in "SU" else array for name, array in found.items()}


def _text(name: str, array: Column) -> Column:
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{name!r} holds bytes that are no text in UTF-8: {error}") from error
    return array.astype(object)


READERS = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet, ".npz": _npz}
