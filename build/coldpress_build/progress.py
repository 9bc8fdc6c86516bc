"""What a person watching sees while it runs: one line that changes, and one line per finished stage."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console

BAR = 20
"""Cells of a progress bar."""


class Progress:
    """Tells stages and their steps on stderr; `seconds` keeps how long each stage took.

    Nothing is told when `silent`. Where nobody watches (stderr is no terminal), only finished stages are.
    """

    def __init__(self, *, silent: bool = False) -> None:
        # The stream of now: `quiet` and tests put others in place of sys.stderr and sys.stdout.
        self.console = Console(file=sys.stderr, quiet=silent, highlight=False)
        self.seconds: dict[str, float] = {}
        self._status = self.console.status("")
        self._stage = ""
        self._part = ""
        self._outcome = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A stage; `tell` and `conclude` inside it say what happens and what came out."""
        self._stage, self._outcome, started = name, "", perf_counter()
        self._status.update(f"{name} …")
        with self._status if self.console.is_terminal else _nothing():
            yield
        self.seconds[name] = perf_counter() - started
        self.console.print(
            f"{name:<10}{self.seconds[name]:6.1f} s  {self._outcome}", markup=False, soft_wrap=True
        )

    @contextmanager
    def part(self, name: str, share: float) -> Iterator[None]:
        """One of several parts of a stage, after `share` (0 to 1) of the whole is done: a bar shows it."""
        done = round(share * BAR)
        before, self._part = self._part, f"{'█' * done}{'░' * (BAR - done)} {name}, "
        self.tell("…")
        try:
            yield
        finally:
            self._part = before

    def tell(self, what: str) -> None:
        """What happens now."""
        self._status.update(f"{self._stage}: {self._part}{what}")

    def note(self, what: str) -> None:
        """What is worth a line that stays, before the stage's own."""
        self.console.print(f"{self._stage:<10}{what}", markup=False, soft_wrap=True)

    def conclude(self, outcome: str) -> None:
        """What this stage's finished line will say."""
        self._outcome = outcome


@contextmanager
def _nothing() -> Iterator[None]:
    yield
