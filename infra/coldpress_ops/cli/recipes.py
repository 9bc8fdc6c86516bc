"""What `coldpress train` says of recipes, and how it takes their settings."""

from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer

# Light: a recipe's own module, with torch, is imported by `find`.
from coldpress_build.recipes import RECIPES

Recipe = Annotated[
    str,
    typer.Argument(
        help="What to train:\n\n"
        + "\n\n".join(f"{name}: {recipe.summary}" for name, recipe in RECIPES.items()),
        show_default=False,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A .csv, .parquet, .jsonl or .npz file, or a public set by its name, such as iris; without it, "
        "the recipe's own.",
        show_default=False,
    ),
]
Target = Annotated[
    str,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="The column with the answers; label or target, else the last one.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file of settings; --set comes after it.", show_default=False),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one of the recipe's settings; may be repeated."),
]
ShowSettings = Annotated[
    bool, typer.Option("--settings", help="List the recipe's settings, and train nothing.")
]


def chosen(kind: type[Any], config: Path | None, target: str, settings: list[str] | None) -> list[str]:
    """All that is set, as "key=value" in the order in which it counts.

    Raises:
        ConfigurationError: the file holds an unknown key or a value of the wrong type.
    """
    from coldpress_build.config import from_file

    named = [f"target={target}"] if target else []
    return [*(from_file(kind, config) if config else []), *named, *(settings or [])]


def show_settings(kind: type[Any]) -> None:
    """Each with its default, and what it means."""
    from coldpress_build.config import describe

    for setting in describe(kind):
        typer.echo(f"{setting.name}={setting.default}")
        if setting.meaning:
            typer.echo(fill(setting.meaning, 96, initial_indent="    ", subsequent_indent="    "))
