"""How a command ends when something goes wrong: one line on stderr, and the exit status."""

from typing import Any

import typer
from typer.core import TyperGroup

from coldpress.errors import ColdpressError

FAILED = 1


class Commands(TyperGroup):
    """Commands whose errors are one line. Usage errors (status 2) and Ctrl-C (130) are typer's own."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; with `--debug`, errors pass through with their traceback."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(f"error: {_words(error)}", err=True)
            raise typer.Exit(getattr(error, "exit_status", FAILED)) from None


def _words(error: Exception) -> str:
    if isinstance(error, ColdpressError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("coldpress"):
        package = error.name.partition(".")[0]
        return f"{package} is not installed; this command needs: pip install 'coldpress[api,build]'"
    return f"internal error, {type(error).__name__}: {error}; coldpress --debug … shows the traceback"
