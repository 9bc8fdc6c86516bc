"""Press a model that exists already, with rows that it was not fitted on."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from coldpress.ort import TensorSpec
from coldpress_build import runs
from coldpress_build.data.sources import present
from coldpress_build.data.tables import Column, as_names, column, read_table
from coldpress_build.errors import BuildError, DataError
from coldpress_build.files import write_atomic
from coldpress_build.pipeline import MODEL, REPORT, outcome
from coldpress_build.press.candidates import BASELINE
from coldpress_build.press.gate import Gate
from coldpress_build.press.heldout import HeldOut, class_names
from coldpress_build.press.press import Pressed, press
from coldpress_build.press.retraining import CALIBRATION_ROWS
from coldpress_build.press.static import Rows
from coldpress_build.progress import Progress
from coldpress_build.report.report import Report, write
from coldpress_build.serving import DTYPES, ServedModel

MAX_BYTES = 2**31 - 2**20
"""An ONNX file with its weights inside ends at 2 GiB, which is protobuf's limit."""


@dataclass(frozen=True)
class PressResult:
    """What pressing made: `model` is the winner's file, `original` the one that was pressed."""

    folder: Path
    model: Path
    original: Path
    report: Path
    pressed: Pressed

    @property
    def before(self) -> Path | None:
        """The original, if another took its place."""
        return None if self.pressed.winner == BASELINE else self.original


def press_file(
    model: Path,
    data: Path,
    out: Path,
    *,
    label_column: str = "label",
    gate: Gate | None = None,
    calibration: int | None = None,
    silent: bool = False,
) -> PressResult:
    """Press the ONNX file `model` under the gate, with the rows of `data` (see `tables.read_table`).

    `calibration` rows, drawn at random, are for the ranges of activations, and the gate does not see them;
    None: a fifth of the rows, at most CALIBRATION_ROWS; 0: none, and no static candidate.

    Each input takes the column of its name. Where the model has one input of numbers [batch, n] and there is
    no such column, the n columns beside the label make it, in order.
    The result's folder appears below `out` when all is done: model.onnx (the winner) and report/.

    Raises:
        BuildError: the file is no ONNX model, the data does not fit it, or its outputs cannot be scored.
    """
    progress = Progress(silent=silent)
    with progress.stage("data"):
        inside = _is_whole(model)
        read, notes = _held_out(ServedModel.open(model), data, label_column)
        rows, ranges = divided(read, calibration)
        held = len(next(iter(ranges.values()))) if ranges else 0
        told = f"{data.name}: {len(rows):,} rows to judge by, {held:,} to calibrate with"
        progress.conclude("; ".join([told, *notes]))
    run_id = runs.new_id(f"press-{model.stem}")
    with (
        runs.whole_folder(out / run_id) as folder,
        tempfile.TemporaryDirectory(prefix="coldpress-") as scratch,
    ):
        with progress.stage("press"):
            original = model
            if not inside:
                # Weights that lie beside the file come into it: like is compared with like, one file each.
                original = Path(scratch) / "original.onnx"
                onnx.save(onnx.load(model), original)
            pressed, winner = press(
                original,
                Path(scratch),
                rows,
                None,
                gate or Gate(),
                progress,
                calibration=ranges,
                foreign=True,
            )
            progress.conclude(outcome(pressed))
        write_atomic(folder / MODEL, winner.read_bytes())
        report = Report(
            f"{model.name}, pressed", runs.now(), pressed, None, dict(progress.seconds), runs.versions()
        )
        write(report, folder / REPORT)
    target = out / run_id
    return PressResult(target, target / MODEL, model, target / REPORT / "index.html", pressed)


def divided(rows: HeldOut, calibration: int | None) -> tuple[HeldOut, Rows | None]:
    """The rows that the gate judges by, and those that ranges are taken from.

    Raises:
        DataError: too few rows are left to judge by.
    """
    count = min(CALIBRATION_ROWS, len(rows) // 5) if calibration is None else calibration
    if count >= len(rows) - 1:
        raise DataError(
            f"{count} rows to calibrate with leave {max(len(rows) - count, 0)} of {len(rows)} to judge by; "
            f"{len(rows) // 5} would be a fifth"
        )
    order = np.random.default_rng(0).permutation(len(rows))  # a file may be sorted by class
    kept, drawn = np.sort(order[count:]), np.sort(order[:count])
    held = HeldOut({name: column[kept] for name, column in rows.inputs.items()}, rows.target[kept])
    return held, {name: column[drawn] for name, column in rows.inputs.items()} if count else None


def _is_whole(path: Path) -> bool:
    """Whether the file has its weights inside."""
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise BuildError(f"{path} cannot be read: {error.strerror or error}") from error
    except DecodeError:
        raise BuildError(f"{path} is no ONNX model") from None
    if not model.graph.node:
        raise BuildError(f"{path} is no ONNX model: it has no graph")
    beside = [tensor for tensor in model.graph.initializer if uses_external_data(tensor)]
    names = {ExternalDataInfo(tensor).location for tensor in beside}
    size = path.stat().st_size + sum(_size(path.parent / name) for name in names)
    if size > MAX_BYTES:
        raise BuildError(
            f"{path} has {size / 1e9:.2f} GB with its weights; the tools take {MAX_BYTES / 1e9:.2f} GB. "
            "Export it in half precision, or publish it as it is"
        )
    return not beside


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise BuildError(f"{path}, which holds weights, cannot be read: {error.strerror or error}") from error


def _held_out(model: ServedModel, path: Path, label_column: str) -> tuple[HeldOut, tuple[str, ...]]:
    """The rows that have an answer, and a note if there are others."""
    table = read_table(path)
    target = column(table, label_column, path, "what the model should answer; --label-column names another")
    if target.ndim != 1:
        raise DataError(f"{path}: {label_column!r} must hold one value a row, not {list(target.shape[1:])}")
    # Of a file with 007, some models have learned the name 007, others the number 7.
    names = as_names(table, label_column, path)
    if {*names.tolist()} - {""} <= {*class_names(model)}:
        target = names
    kept, notes = present(target, label_column)
    if not kept:
        raise DataError(f"{path}: {label_column!r} is empty in all {len(target)} rows; nothing can be scored")
    table = {name: values[kept] for name, values in table.items()}
    others = {name: values for name, values in table.items() if name != label_column}
    joined = _joined(model, others)
    inputs = {
        spec.name: _typed(
            joined if joined is not None else column(table, spec.name, path, "an input"), spec, path
        )
        for spec in model.inputs
    }
    return HeldOut(inputs, target[kept]), notes


def _joined(model: ServedModel, columns: dict[str, Column]) -> Column | None:
    """The columns side by side, if that is what the model's only input is."""
    spec = model.inputs[0] if len(model.inputs) == 1 else None
    if spec is None or spec.name in columns or len(spec.shape) != 2 or spec.shape[1] != len(columns):
        return None
    if any(values.ndim != 1 or values.dtype.kind not in "biuf" for values in columns.values()):
        return None
    return np.stack(list(columns.values()), axis=1)


def _typed(values: Column, spec: TensorSpec, path: Path) -> Column:
    strings = values.dtype == object
    if strings != (spec.datatype == "BYTES"):
        raise DataError(
            f"{path}: {spec.name!r} holds {'text' if strings else 'numbers'}, and the model takes "
            f"{spec.datatype}"
        )
    if spec.ranked and values.ndim == 1 and len(spec.shape) == 2 and spec.shape[1] == 1:
        values = values[:, None]
    wanted = list(spec.shape)
    fits = len(wanted) == values.ndim and all(
        w in (-1, g) for w, g in zip(wanted[1:], values.shape[1:], strict=True)
    )
    if spec.ranked and not fits:
        raise DataError(
            f"{path}: {spec.name!r} has the shape {list(values.shape)}, and the model takes {wanted} (-1 is "
            "variable)"
        )
    return values if strings else values.astype(DTYPES[spec.datatype])
