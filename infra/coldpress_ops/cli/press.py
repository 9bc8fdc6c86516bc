"""`coldpress press`."""

from pathlib import Path
from typing import Annotated

import typer

from coldpress_ops.cli.options import DEFAULT_STATE, DEFAULT_URL, Key, State, Url, connect

MAX_LOSS, MAX_DOUBT = 0.5, 2.0
MEMORY_MB = 1769


def press(
    file: Annotated[Path, typer.Argument(help="The ONNX file.", show_default=False)],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            help="Rows the model was not fitted on: a .jsonl, .csv, .parquet or .npz file with a column for "
            "each input and one with the right answers.",
            show_default=False,
        ),
    ],
    label_column: Annotated[
        str, typer.Option("--label-column", help="The column with the right answers.")
    ] = "label",
    max_loss: Annotated[
        float, typer.Option("--max-loss", min=0.0, help="Points of accuracy (or of R²) it may lose.")
    ] = MAX_LOSS,
    max_doubt: Annotated[
        float,
        typer.Option(
            "--max-doubt", min=0.0, help="Points at which the 95 % interval of its loss must have ended."
        ),
    ] = MAX_DOUBT,
    calibration_rows: Annotated[
        int | None,
        typer.Option(
            "--calibration-rows",
            min=0,
            help="Rows of the data that ranges for 8-bit arithmetic are taken from; the gate does not see "
            "them. A fifth, at most 512, if not said.",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[
        int,
        typer.Option("--memory", min=128, help="MB of the function that will serve it: threads follow."),
    ] = MEMORY_MB,
    batch_sensitive: Annotated[
        bool,
        typer.Option(
            "--allow-batch-sensitive",
            help="Also take a model whose answers depend on what else is in their request; it says so.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where the folder goes; press/ in the state folder.", show_default=False),
    ] = None,
    publish: Annotated[
        str,
        typer.Option(
            "--publish",
            metavar="NAME",
            help="Publish the original as a version of this model, then what was made of it as the next.",
            show_default=False,
        ),
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the file's path only.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    state: State = DEFAULT_STATE,
) -> None:
    """Make an ONNX model smaller, as long as it answers as well.

    Candidates are made with ONNX Runtime's tools and measured as they would be served. The smallest that
    passes the gate is written; the original if none does. Prints the path of the written model. What each
    candidate does, and how many rows the gate needs: docs/press.md.

    Example: coldpress press model.onnx --data rows.csv
    """
    from coldpress.registry import check_name
    from coldpress.threads import threads_for

    if publish:
        from coldpress_ops.publishing import check_deployment

        check_name(publish)  # before the work, not after
        with connect(url, key, state) as client:
            check_deployment(client, publish)
    # onnx, numpy and scikit-learn take seconds to import.
    from coldpress_build.press.gate import Gate
    from coldpress_build.pressing import press_file

    threads = threads_for(memory)
    result = press_file(
        file,
        data,
        out or state / "press",
        label_column=label_column,
        gate=Gate(max_loss=max_loss, max_doubt=max_doubt, batch_sensitive=batch_sensitive, threads=threads),
        calibration=calibration_rows,
        silent=quiet,
    )
    if not quiet:
        from rich.console import Console

        from coldpress_ops.cli.candidates import show_candidates

        console = Console(stderr=True, highlight=False)
        show_candidates(result.pressed, console)
        console.print(f"report: {result.report}", markup=False, soft_wrap=True)
    if publish:
        from coldpress_ops.publishing import publish_pressed

        with connect(url, key, state) as client:
            typer.echo(publish_pressed(client, publish, result.model, result.before), err=True)
    typer.echo(result.model)
