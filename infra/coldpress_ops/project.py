"""Where the application is: the folder with `template.yaml`."""

from pathlib import Path

from coldpress.errors import NotFound

TEMPLATE = "template.yaml"
_HERE = Path(__file__).resolve()
PACKAGED = _HERE.parent / "application"
"""The copy of the template and the functions that an installed wheel carries."""
CHECKOUT = _HERE.parents[2]
"""The repository, where this package is installed from one in editable mode."""


def find_template(start: Path | None = None) -> Path:
    """The nearest template: in `start` (the working directory) or above it, else the one that came along.

    Raises:
        NotFound: none, which only a broken installation has.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents, PACKAGED, CHECKOUT):
        if (folder / TEMPLATE).is_file():
            return folder / TEMPLATE
    raise NotFound(
        f"there is no {TEMPLATE} in {start} or above it; install coldpress again: its own is missing"
    )
