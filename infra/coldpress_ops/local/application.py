"""What the local server serves: functions, their routes and their triggers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Function:
    """A function's code and what it is told; `timeout` in seconds."""

    name: str
    folder: Path
    handler: str
    memory_mb: int
    timeout: int
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Route:
    """An HTTP method (or ANY) and a path with `{parameters}`, answered by a function."""

    method: str
    path: str
    function: str

    @property
    def key(self) -> str:
        """As API Gateway writes it: `GET /models`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Trigger:
    """New objects of a bucket, through a queue, to a function."""

    bucket: str
    prefix: str
    suffix: str
    queue: str
    """The queue's ARN."""
    function: str
    max_receives: int
    """Deliveries of one event before it goes to the dead letters."""
    visibility_seconds: int
    """Longest wait between two deliveries."""
    reports_failures: bool
    """Whether the function's answer names what failed (ReportBatchItemFailures)."""

    @property
    def queue_name(self) -> str:
        """The last part of the queue's ARN."""
        return self.queue.rpartition(":")[2]


@dataclass(frozen=True)
class Application:
    """All that one template asks of the local server."""

    functions: Mapping[str, Function]
    routes: tuple[Route, ...]
    triggers: tuple[Trigger, ...]
