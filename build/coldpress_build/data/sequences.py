"""Sequences of different lengths: one array filled up with 0, and their lengths."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.sources import labels_of
from coldpress_build.data.tables import column, json_lines, read_table
from coldpress_build.errors import DataError


def padded(sequences: Sequence[Array]) -> dict[str, Array]:
    """Sequences [steps, channels] -> the columns `sequence` [rows, longest, channels] and `length` [rows]."""
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    found = np.zeros((len(sequences), lengths.max(), sequences[0].shape[1]), np.float32)
    for row, sequence in zip(found, sequences, strict=True):
        row[: len(sequence)] = sequence
    return {"sequence": found, "length": lengths}


def read_sequences(path: Path, target: str) -> Dataset:
    """A `.jsonl` file of objects with `sequence`, a list of steps that are lists of channels (or numbers),
    and the target; or an `.npz` with `sequence` [rows, longest, channels], `length` [rows] and the target.

    Raises:
        DataError: see `read_table`; sequences that are empty, not finite, or of different channels.
    """
    if path.suffix == ".npz":
        table = read_table(path)
        sequences = column(table, "sequence", path, "what is classified").astype(np.float32)
        lengths = column(table, "length", path, "the steps of each sequence").astype(np.int64)
        if sequences.ndim != 3 or lengths.min() < 1 or lengths.max() > sequences.shape[1]:
            raise DataError(
                f"{path}: sequence must be [rows, longest, channels] and is {list(sequences.shape)}; length "
                f"must be from 1 to the longest and is from {lengths.min()} to {lengths.max()}"
            )
        rows = [sequence[:length] for sequence, length in zip(sequences, lengths, strict=True)]
    else:
        lines = json_lines(path)
        rows = [_sequence(path, number, line.pop("sequence", None)) for number, line in enumerate(lines, 1)]
        table = {name: np.array([line.get(name) for line in lines], object) for name in lines[0]}
    for number, row in enumerate(rows, 1):
        if row.shape[1:] != rows[0].shape[1:] or not np.isfinite(row).all():
            raise DataError(
                f"{path}: the sequence of row {number} is {list(row.shape)} with "
                f"{np.isnan(row).sum()} missing values; each needs {rows[0].shape[1]} finite channels"
            )
    labels, kept, notes = labels_of(table, target, path)
    return Dataset.labelled(path.stem, padded([rows[row] for row in kept]), labels, notes)


def _sequence(path: Path, number: int, value: object) -> Array:
    try:
        found = np.array(value, np.float32)
    except (TypeError, ValueError):
        found = np.zeros(0, np.float32)
    if found.ndim not in (1, 2) or not found.size:
        raise DataError(
            f"{path}: the sequence of row {number} is no list of steps such as [[0.5, 1.0], [0.25, 2.0]]"
        )
    return found if found.ndim == 2 else found[:, None]
