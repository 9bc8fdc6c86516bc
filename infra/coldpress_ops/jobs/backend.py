"""The runs of a state folder or of a deployment, asked the same way."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from coldpress import runs
from coldpress.errors import Conflict, Unsupported
from coldpress.runs import Lines, Run
from coldpress_ops.jobs import local

if TYPE_CHECKING:
    from coldpress_ops.client import Client


class Runs(Protocol):
    """Every method raises `NotFound` for a run that is not there."""

    def newest(self, limit: int) -> list[Run]:
        """The newest runs, newest first."""

    def run(self, run_id: str) -> Run:
        """One record."""

    def logs(self, run_id: str, after: str) -> Lines:
        """What was printed after the part that ended at `after` (from the start: empty)."""

    def stop(self, run_id: str) -> Run:
        """Asks a run to end. Raises `Conflict` when it is over already."""


class LocalRuns:
    """Of a state folder."""

    def __init__(self, state: Path) -> None:
        """Raises `NotFound` where there is no store."""
        self._state, self._store = state, local.store_of(state)

    def newest(self, limit: int) -> list[Run]:
        return [self.run(run_id) for run_id in runs.ids(self._store)[:limit]]

    def run(self, run_id: str) -> Run:
        return local.looked_after(self._state, runs.read(self._store, run_id))

    def logs(self, run_id: str, after: str) -> Lines:
        return runs.logs(self._store, runs.read(self._store, run_id), after)

    def stop(self, run_id: str) -> Run:
        run = self.run(run_id)
        if run.on != "local":
            raise Unsupported(f"{run_id} runs on {run.on}; stop it with --url of its deployment")
        if run.is_over:
            raise Conflict(f"{run_id} is over already: it has {run.state}")
        # Its process looks for this, and ends the job; where that went away, nobody would.
        return local.end_abandoned(self._state, runs.ask_to_stop(self._store, run_id))


class RemoteRuns:
    """Of a deployment, by its control plane. Raises what `Client` raises."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def newest(self, limit: int) -> list[Run]:
        return [Run.from_json(row) for row in self._client.runs(limit)]

    def run(self, run_id: str) -> Run:
        return Run.from_json(self._client.run(run_id))

    def logs(self, run_id: str, after: str) -> Lines:
        found = self._client.run_logs(run_id, after)
        return Lines(found["text"], found["next"])

    def stop(self, run_id: str) -> Run:
        return Run.from_json(self._client.stop_run(run_id))


def followed(found: Runs, run_id: str, pause: float) -> Iterator[str]:
    """The log as it grows, until the run is over. Pauses are in seconds."""
    import time

    after = ""
    while True:
        # Asked before the log is read: what is printed until the end is then not missed.
        is_over = found.run(run_id).is_over
        while (part := found.logs(run_id, after)).text:
            after = part.next
            yield part.text
        if is_over:
            return
        time.sleep(pause)
