"""What a check found, and how findings are shown."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from coldpress.errors import ColdpressError

if TYPE_CHECKING:
    from rich.console import Console

Level = Literal["ok", "note", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `broken` means that something will not work until it is fixed."""

    level: Level
    what: str
    found: str
    fix: str = ""
    """What to do about it; never empty for what is broken."""


class Broken(Exception):
    """Raised by a check, with the fix as its second argument."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found, fix)
        self.found, self.fix = found, fix


class Note(Broken):
    """Not as it could be, but nothing fails because of it."""


def find(what: str, check: Callable[[], str]) -> Finding:
    """Runs a check, which returns what it found when all is well."""
    try:
        return Finding("ok", what, check())
    except Note as note:
        return Finding("note", what, note.found, note.fix)
    except Broken as broken:
        return Finding("broken", what, broken.found, broken.fix)
    except (ColdpressError, OSError) as error:
        return Finding("broken", what, " ".join(str(error).split()), "put right what it names, and try again")


def is_broken(findings: Iterable[Finding]) -> bool:
    """Whether anything is."""
    return any(finding.level == "broken" for finding in findings)


_MARKS = {"ok": "[green]ok[/]    ", "note": "[yellow]note[/]  ", "broken": "[red]broken[/]"}


def show(finding: Finding, console: "Console") -> None:
    """One line, and one more for the fix."""
    from rich.markup import escape

    console.print(f"{_MARKS[finding.level]} {escape(finding.what)}: {escape(finding.found)}")
    if finding.fix:
        console.print(f"       → {escape(finding.fix)}")


def as_data(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """For `--json`."""
    return [asdict(finding) for finding in findings]
