"""`coldpress models`, `show`, `promote`, `rollback` and `shadow`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from coldpress.registry import DEFAULT_ALIAS
from coldpress_ops.cli.options import (
    DEFAULT_STATE,
    DEFAULT_URL,
    Json,
    Key,
    Name,
    State,
    Url,
    connect,
    print_json,
)

if TYPE_CHECKING:
    from rich.table import Table

Alias = Annotated[str, typer.Option("--alias", help="The alias to move.")]


def models(json: Json = False, url: Url = DEFAULT_URL, key: Key = "", state: State = DEFAULT_STATE) -> None:
    """List the models.

    Example: coldpress models
    """
    with connect(url, key, state) as client:
        found = client.models()
    if json:
        return print_json(found)
    if not found:
        return typer.echo("no models yet; publish one with: coldpress publish NAME FILE", err=True)
    table = _table("model", "latest", "aliases")
    for row in found:
        aliases = "  ".join(f"{alias} → {_routes(routes)}" for alias, routes in row["aliases"].items())
        table.add_row(row["name"], str(row["latest"] or "-"), aliases)
    return _print(table)


def show(
    name: Name, json: Json = False, url: Url = DEFAULT_URL, key: Key = "", state: State = DEFAULT_STATE
) -> None:
    """Show a model: versions, metrics, aliases, inputs and outputs.

    Example: coldpress show sentiment
    """
    with connect(url, key, state) as client:
        model = client.model(name)
    if json:
        return print_json(model)
    table = _table("version", "created", "size", "metrics", "aliases")
    for row in model["versions"]:
        aliases = [
            alias
            for alias, routes in model["aliases"].items()
            if any(route["version"] == row["version"] for route in routes)
        ]
        metrics = "  ".join(f"{key} {_number(value)}" for key, value in row["metrics"].items())
        size = f"{row['size'] / 1e6:.2f} MB"
        table.add_row(str(row["version"]), row["created"][:19], size, metrics, ", ".join(aliases))
    _print(table)
    for alias, routes in model["aliases"].items():
        typer.echo(f"{alias} → {_routes(routes)}")
    for row in model["versions"]:
        if row.get("batch_sensitive"):
            typer.echo(f"version {row['version']} is batch sensitive: an answer depends on its whole request")
    for kind in ("inputs", "outputs"):
        for tensor in model[kind]:
            typer.echo(f"{kind[:-1]} {tensor['name']}: {tensor['datatype']} {tensor['shape']}")
    return None


def promote(
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="The version.", show_default=False)],
    alias: Alias = DEFAULT_ALIAS,
    weight: Annotated[
        float, typer.Option("--weight", help="Its share of the traffic; the rest stays where it is.")
    ] = 1.0,
    json: Json = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    state: State = DEFAULT_STATE,
) -> None:
    """Point an alias at a version, all at once or with a share of the traffic.

    Example: coldpress promote sentiment 8 --weight 0.05
    """
    if not 0 < weight <= 1:
        raise typer.BadParameter(f"--weight is above 0 and at most 1, not {weight:g}")
    with connect(url, key, state) as client:
        position = client.promote(name, version, alias, weight)
    _print_position(position, json=json)


def rollback(
    name: Name,
    alias: Alias = DEFAULT_ALIAS,
    json: Json = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    state: State = DEFAULT_STATE,
) -> None:
    """Point an alias where it pointed before.

    Example: coldpress rollback sentiment
    """
    with connect(url, key, state) as client:
        position = client.rollback(name, alias)
    _print_position(position, json=json)


def shadow(
    name: Name,
    version: Annotated[
        int | None, typer.Argument(min=1, help="The version that runs beside.", show_default=False)
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="End it.")] = False,
    alias: Alias = DEFAULT_ALIAS,
    json: Json = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    state: State = DEFAULT_STATE,
) -> None:
    """Run a version beside an alias's answers, without answering anybody.

    After each answer the same request goes through that version. The predict function's log, and the metrics
    ShadowAgreement, ShadowDifference, ShadowDuration and ShadowErrors, say how it compares.

    Example: coldpress shadow sentiment 9
    """
    if off == (version is not None):
        raise typer.BadParameter("give a VERSION, or --off")
    with connect(url, key, state) as client:
        position = client.shadow(name, version, alias)
    _print_position(position, json=json)


def _print_position(position: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(position)
    else:
        beside = f", beside it {position['shadow']}" if position["shadow"] else ""
        typer.echo(f"{position['model']} {position['alias']} → {_routes(position['routes'])}{beside}")


def _routes(routes: list[dict[str, Any]]) -> str:
    if len(routes) == 1:
        return str(routes[0]["version"])
    return ", ".join(f"{route['version']} ({route['weight'] * 100:.3g} %)" for route in routes)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _table(*columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        # Folded, never cut: what is piped into another program must be whole.
        table.add_column(column, overflow="fold")
    return table


def _print(table: "Table") -> None:
    from rich.console import Console

    Console(markup=False, highlight=False).print(table)
