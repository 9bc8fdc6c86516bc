"""The same figure for parts of the rows: where a model is worse than its average says."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from coldpress_build.errors import ConfigurationError
from coldpress_build.evaluation.interval import Array, Estimate

FEW = 30
"""A slice of fewer rows is marked: its interval says little more than that."""
MOST = 20
"""Values of one column that become slices of their own, the commonest; the others are one slice together."""


@dataclass(frozen=True)
class Slice:
    """Rows where `column` has `value`. `differs`: the whole's figure is outside of this one's interval."""

    column: str
    value: str
    rows: int
    metric: Estimate
    baseline: float | None
    few: bool
    differs: bool


def check_slices(names: list[str], columns: Mapping[str, Array]) -> None:
    """Raises `ConfigurationError` for a name that is no column, or a column that cannot be sliced by."""
    for name in names:
        if name not in columns:
            known = ", ".join([*columns][:MOST]) + (", …" if len(columns) > MOST else "") or "none"
            raise ConfigurationError(f"there is no column {name!r} to slice by; the columns are {known}")
        column = columns[name]
        if column.ndim != 1:
            raise ConfigurationError(
                f"{name!r} holds {list(column.shape[1:])} numbers a row; slice by a column with one"
            )
        different = len(set(column.tolist()))
        if column.dtype.kind not in "iuf" and different > max(MOST, len(column) // 2):
            raise ConfigurationError(
                f"{name!r} has {different:,} different values in {len(column):,} rows; slice by a column "
                f"where many rows share a value"
            )


def slices(
    columns: Mapping[str, Array],
    figure: Callable[[Array], Estimate],
    whole: float,
    baseline: Callable[[Array], float] | None = None,
) -> tuple[Slice, ...]:
    """Each value of each of `columns` [rows]: `figure` and `baseline` get the positions of its rows."""
    found = []
    for name, column in columns.items():
        for value, rows in _groups(column):
            metric = figure(rows)
            differs = bool(metric.low > whole or metric.high < whole)
            other = None if baseline is None else baseline(rows)
            found.append(Slice(name, value, len(rows), metric, other, len(rows) < FEW, differs))
    return tuple(found)


def _groups(column: Array) -> Iterator[tuple[str, Array]]:
    if column.dtype.kind in "iuf" and len(np.unique(column)) > 10:
        yield from _quarters(column)
        return
    texts = np.array([str(value) for value in column.tolist()], object)
    values, counts = np.unique(texts, return_counts=True)
    named = values[np.argsort(-counts, kind="stable")][:MOST]
    for value in sorted(named):
        yield value, np.flatnonzero(texts == value)
    others = np.flatnonzero(~np.isin(texts, named))
    if len(others):
        yield f"{len(values) - len(named)} other values", others


def _quarters(column: Array) -> Iterator[tuple[str, Array]]:
    """Four ranges with about as many rows each."""
    known = np.isfinite(column.astype(np.float64))
    edges = np.unique(np.quantile(column[known], [0, 0.25, 0.5, 0.75, 1]))
    place = np.searchsorted(edges[1:-1], column, side="left")
    for number in range(max(len(edges) - 1, 1)):
        rows = np.flatnonzero(known & (place == number))
        if len(rows):
            yield f"{column[rows].min():.4g} to {column[rows].max():.4g}", rows
    if not known.all():
        yield "not a number", np.flatnonzero(~known)
