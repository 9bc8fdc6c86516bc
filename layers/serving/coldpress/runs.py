"""Training runs: what was ordered, how far it is, and what came of it.

    runs/{id}/run.json       the record: moves only forward, by compare-and-swap
    runs/{id}/logs/…         what the job printed, in pieces that never change
    runs/{id}/checkpoints/…  where an interrupted job goes on
    runs/{id}/model.onnx …   what it made

Whoever knows something tells it (the job itself, AWS Batch's events, whoever stops it), and may tell it late,
twice or in any order: a record is the same in the end.
"""

import json
import os
import time
from collections.abc import Callable, Iterator

from coldpress.errors import Conflict, InvalidRequest, NotFound
from coldpress.registry import DEFAULT_ALIAS, check_name
from coldpress.store import Store
from coldpress.typed import Any, NamedTuple

PREFIX = "runs/"
DATASETS = "datasets/"
RECORD = "run.json"
QUEUED, RUNNING, FAILED, STOPPED, SUCCEEDED = STATES = "queued", "running", "failed", "stopped", "succeeded"
"""In the order in which one takes the place of another. The last three are ends; where two ends are told
(a job that had stored its results and was then killed), the later in this row counts."""
ENDS = frozenset({FAILED, STOPPED, SUCCEEDED})
MAX_SETTINGS = 100
MAX_TEXT = 1024
MAX_NODES = 64
MAX_GPUS = 16
MAX_SHARE = 63
MAX_MINUTES = 28 * 24 * 60
TRIES = 20


class Run(NamedTuple):
    """A record. Times are ISO 8601 in UTC, empty until they are known."""

    id: str
    recipe: str
    settings: dict[str, str] = {}  # noqa: RUF012 - a NamedTuple's default, never written to
    data: str = ""
    """A key or (ending in /) a folder below `datasets/`, the name of a packaged set, or the recipe's own."""
    publish: str = ""
    """The model to publish the result as; empty: none."""
    alias: str | None = DEFAULT_ALIAS
    on: str = "batch"
    """`batch` (AWS Batch) or `local` (a process of the machine where it was started)."""
    nodes: int = 1
    gpus: int = 0
    """Per node; 0: what the job definition says."""
    minutes: int = 0
    """How long it will probably take; 0: unknown. Shorter ones start first."""
    share: str = "default"
    """Whose part of the machines it uses: shares get equal parts, letters and digits."""
    state: str = QUEUED
    reason: str = ""
    """Why it failed or was stopped."""
    stop: bool = False
    """Somebody wants it to end."""
    created: str = ""
    started: str = ""
    ended: str = ""
    job: str = ""
    """AWS Batch's id."""
    attempts: int = 0
    image: str = ""
    metrics: dict[str, Any] = {}  # noqa: RUF012
    upload: str = ""
    """The upload that publishes the result, for `GET /uploads/{id}`."""

    @property
    def folder(self) -> str:
        """Everything of this run is below; ends in /."""
        return f"{PREFIX}{self.id}/"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDS

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Run":
        """From what is stored. Fields of a later Coldpress are ignored."""
        return cls(**{key: value for key, value in stored.items() if key in cls._fields})


class News(NamedTuple):
    """What somebody says of a run. What is empty is not known to them."""

    state: str
    at: str = ""
    job: str = ""
    reason: str = ""
    attempts: int = 0
    image: str = ""
    own: bool = False
    """The job itself says so: it knows better than Batch why it failed."""


# ---------------------------------------------------------------------- orders
def order(recipe: str, settings: dict[str, str] | None = None, **wishes: Any) -> Run:
    """A new run that nobody has stored yet. Raises `InvalidRequest` for what no run can be."""
    run = Run(new_id(check_name(recipe, "recipe")), recipe, settings or {}, created=now(), **wishes)
    if len(run.settings) > MAX_SETTINGS:
        raise InvalidRequest(f"{len(run.settings)} settings are too many; at most {MAX_SETTINGS}")
    for text in (run.data, *run.settings, *run.settings.values()):
        if len(text) > MAX_TEXT:
            raise InvalidRequest(f"{text[:40]!r}… has {len(text)} characters; at most {MAX_TEXT} are taken")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise InvalidRequest(f"{text[:40]!r} has half a surrogate pair in it; write whole characters")
    if ("/" in run.data and not run.data.startswith(DATASETS)) or ".." in run.data:
        raise InvalidRequest(f"{run.data!r} is no data: give a key below {DATASETS} or a packaged set's name")
    if not (run.share.isascii() and run.share.isalnum()) or len(run.share) > MAX_SHARE:
        raise InvalidRequest(f"{run.share!r} is no share: letters and digits only, at most {MAX_SHARE}")
    if run.publish:
        check_name(run.publish)
    if run.alias is not None:
        check_name(run.alias, "alias")
    for what, count, least, most in (
        ("nodes", run.nodes, 1, MAX_NODES),
        ("gpus", run.gpus, 0, MAX_GPUS),
        ("minutes", run.minutes, 0, MAX_MINUTES),
    ):
        if not least <= count <= most:
            raise InvalidRequest(f"{what}={count} must be from {least} to {most}")
    return run


def new_id(recipe: str, at: float = 0.0, token: str = "") -> str:
    """The recipe, the time in UTC (`at` in epoch seconds; 0: now) and something random (or `token`)."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(at or time.time()))
    return f"{recipe}-{moment}-{token or os.urandom(4).hex()}"


def now() -> str:
    """The time in UTC, to the millisecond."""
    return instant(time.time_ns() // 1_000_000)


def instant(milliseconds: int) -> str:
    """An epoch time in milliseconds as records have it."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}+00:00"


# ---------------------------------------------------------------------- records
def create(store: Store, run: Run) -> Run:
    """Stores a new record. Raises `Conflict` when there is one with this id."""
    store.create(run.folder + RECORD, _dump(run))
    return run


def read(store: Store, run_id: str) -> Run:
    """One run. Raises `NotFound`."""
    return _read(store, run_id)[0]


def ids(store: Store) -> list[str]:
    """Every run's id, newest first."""
    return sorted(store.folders(PREFIX), key=lambda run_id: run_id.rsplit("-", 3)[1:], reverse=True)


def tell(store: Store, run_id: str, news: News) -> Run:
    """Adds what `news` says to the record; the record after it. Raises `NotFound`, `Conflict`."""
    return change(store, run_id, lambda run: merged(run, news))


def ask_to_stop(store: Store, run_id: str) -> Run:
    """Notes that the run shall end; a run that no job was made for yet ends here.

    Raises:
        NotFound: no such run.
        Conflict: it is over already.
    """

    def stop(run: Run) -> Run:
        if run.is_over:
            raise Conflict(f"{run.id} is over already: it has {run.state}")
        asked = run._replace(stop=True)
        waiting = run.on == "batch" and not run.job
        return merged(asked, News(STOPPED, now(), reason="stopped before it began")) if waiting else asked

    return change(store, run_id, stop)


def change(store: Store, run_id: str, function: Callable[[Run], Run]) -> Run:
    """Replaces a record by `function` of it, by compare-and-swap: `function` may be called again.

    Raises:
        NotFound: no such run.
        Conflict: others kept changing it at the same time.
    """
    for attempt in range(TRIES):
        run, etag = _read(store, run_id)
        changed = function(run)
        if changed == run:
            return run
        try:
            store.replace(run.folder + RECORD, _dump(changed), etag)
        except Conflict:
            time.sleep(0.01 * attempt * (1 + os.urandom(1)[0] / 256))
        else:
            return changed
    raise Conflict(f"{run_id} was changed by others {TRIES} times in a row; try again")


def merged(run: Run, news: News) -> Run:
    """`run` with what `news` adds: the same whatever is told first, and however often."""
    told = STOPPED if news.state == FAILED and run.stop else news.state
    here, there = STATES.index(run.state), STATES.index(told)
    state = told if there > here else run.state
    reason = run.reason if there <= here else ""
    if told == state and state in (FAILED, STOPPED) and news.reason and (news.own or not reason):
        reason = news.reason
    return run._replace(
        state=state,
        reason=reason,
        started=_earliest(run.started, news.at if told == RUNNING else ""),
        ended=_earliest(run.ended, news.at if told in ENDS else ""),
        job=run.job or news.job,
        attempts=max(run.attempts, news.attempts),
        image=run.image or news.image,
    )


def _earliest(one: str, other: str) -> str:
    return min(one or other, other or one)


def _read(store: Store, run_id: str) -> tuple[Run, str]:
    missing = NotFound(f"there is no run {run_id!r}")
    if not run_id or "/" in run_id or ".." in run_id or not run_id.isascii():
        raise missing
    try:
        blob = store.get(f"{PREFIX}{run_id}/{RECORD}")
    except (NotFound, InvalidRequest):
        raise missing from None
    return Run.from_json(json.loads(blob.data)), blob.etag


def _dump(run: Run) -> bytes:
    return json.dumps(run._asdict(), ensure_ascii=False, indent=1).encode()


# ---------------------------------------------------------------------- logs
class Lines(NamedTuple):
    """A part of a run's log."""

    text: str
    next: str
    """Where the next part begins, for `logs`."""


PIECES = 64
"""Most pieces of one answer."""
ANSWER_BYTES = 5 << 20
"""Most of one answer, where Lambda answers 6 MiB at most. A colour's escape character is 7 bytes there."""


def piece_key(run: Run, attempt: int, node: int, number: int) -> str:
    """Where a piece of the log is stored: keys sort as they were written."""
    return f"{run.folder}logs/{attempt:03d}-{node:02d}-{number:06d}.txt"


def logs(store: Store, run: Run, after: str = "") -> Lines:
    """What the job printed after the part that ended at `after`; nothing new: an empty text."""
    found: Iterator[str] = (info.key.rsplit("/", 1)[1] for info in store.walk(f"{run.folder}logs"))
    names = sorted(name for name in found if name > after)[:PIECES]
    pieces: list[bytes] = []
    size = 0
    for name in names:
        piece = store.get(f"{run.folder}logs/{name}").data
        size += _answered(piece)
        if pieces and size > ANSWER_BYTES:
            break
        pieces.append(piece)
        after = name
    return Lines(b"".join(pieces).decode("utf-8", "replace"), after)


def _answered(piece: bytes) -> int:
    """The bytes of a piece in Lambda's answer: a JSON text that has a JSON text in it."""
    return len(json.dumps(json.dumps(piece.decode("utf-8", "replace"), ensure_ascii=False)))
