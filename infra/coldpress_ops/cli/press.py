"""`coldpress press`."""

from pathlib import Path
from typing import Annotated

import typer

from coldpress_ops.cli.options import DEFAULT_STATE, State

MAX_LOSS = 0.5


def press(
    file: Annotated[Path, typer.Argument(help="The ONNX file.", show_default=False)],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            help="Rows the model was not fitted on: a .jsonl, .csv or .npz file with a column for each input "
            "and one with the right answers.",
            show_default=False,
        ),
    ],
    label_column: Annotated[
        str, typer.Option("--label-column", help="The column with the right answers.")
    ] = "label",
    max_loss: Annotated[
        float, typer.Option("--max-loss", min=0.0, help="Points of accuracy (or of R²) it may lose.")
    ] = MAX_LOSS,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where the folder goes; press/ in the state folder.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the file's path only.")] = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Make an ONNX model smaller, as long as it answers as well.

    Candidates are made with ONNX Runtime's tools and measured as they would be served. The smallest that
    passes the gate is written; the original if none does. Prints the path of the written model.

    Example: coldpress press model.onnx --data rows.csv
    """
    # onnx, numpy and scikit-learn take seconds to import.
    from coldpress_build.press.gate import Gate
    from coldpress_build.pressing import press_file

    result = press_file(
        file,
        data,
        out or state / "press",
        label_column=label_column,
        gate=Gate(max_loss=max_loss),
        silent=quiet,
    )
    if not quiet:
        for candidate in result.pressed.candidates:
            verdict = "fails: " + candidate.reason if candidate.reason else "passes"
            typer.echo(f"{candidate.name}: {verdict}", err=True)
        typer.echo(f"report: {result.report}", err=True)
    typer.echo(result.model)
