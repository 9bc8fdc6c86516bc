"""One upload, from its key to a registered version or a recorded refusal."""

import base64
import hashlib
import json
import os
import sys
import time
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from coldpress import settings
from coldpress.errors import ColdpressError, InvalidRequest, NotFound, Unavailable
from coldpress.ingest import checks, graph, isolation, metadata, scratch, transaction, trial
from coldpress.ingest.refusal import Refused
from coldpress.ingest.transaction import Record, Superseded
from coldpress.registry import INLINE_BYTES, Artifact, Manifest, TensorInfo, check_name
from coldpress.settings import Settings
from coldpress.store import Info, Store
from coldpress.uploads import Upload, upload_of

RESERVE_SECONDS = 30.0
"""Kept for storing the version when the function's time is limited."""
TRIAL_SHARE = 0.5
"""Of the other time, the least for the trial: with less, a good file would be refused for a slow store."""
CHUNK = 8 << 20


class Ingest:
    """What the ingest function is: call it with the key of an uploaded object."""

    def __init__(self, config: Settings) -> None:
        """Opens the store. Raises `StoreUnusable`."""
        self._settings = config
        self.store = Store(config.store)

    @classmethod
    def from_environment(cls) -> "Ingest":
        """Settings from `COLDPRESS_*`, the memory from Lambda."""
        config = settings.from_environment()
        memory = config.memory_mb or int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"))
        return cls(config._replace(memory_mb=memory))

    def __call__(self, key: str, tries: int = 0, *, seconds: float = 600.0) -> dict[str, Any]:
        """Ingests the object at `key` within `seconds`; what became of it, also written to the log as a line.

        `tries`: how often the event has come, this time included; 0 where nobody counts.

        Raises:
            Unavailable, Conflict: not now; the event should come again.
        """
        run = _Run(self.store, self._settings, key, tries, seconds)
        try:
            outcome = run.outcome()
        except Superseded:
            outcome = {"outcome": "superseded"}
        except Exception as error:
            run.log({"outcome": "failed", "error": f"{type(error).__name__}: {error}"})
            run.tell_failure(error)
            raise
        run.log(outcome)
        return outcome


class _Run:
    """One attempt at one upload. Its stages are timed in milliseconds."""

    def __init__(self, store: Store, config: Settings, key: str, tries: int, seconds: float) -> None:
        self._store = store
        self._settings = config
        self._key = key
        self._tries = tries
        self._seconds = max(seconds - RESERVE_SECONDS, 1.0)
        self._deadline = time.monotonic() + self._seconds
        self._taken: tuple[Upload, Record] | None = None
        self._at = time.perf_counter()
        self._ms: dict[str, float] = {}
        self._fields: dict[str, Any] = {"event": "ingest", "key": key}

    def outcome(self) -> dict[str, Any]:
        """Does what the stored state asks for. Raises `Superseded`, and what a later try may cure."""
        try:
            upload = upload_of(self._store, self._key)
            info = self._store.head(self._key)
        except NotFound:
            return {"outcome": "gone"}
        except InvalidRequest as error:
            # Without a model's name there is no record to keep; the refusal alone tells.
            stored = {"reason": str(error), "at": transaction.now()}
            transaction.tell_rejection(self._store, self._key, stored)
            return {"outcome": "rejected", "reason": str(error)}
        self._fields |= {"model": upload.model, "upload": upload.id}
        record = self._take(upload, info)
        if record.state == transaction.REGISTERING:
            version = self._finish(upload, record)
            if record.stored["etag"] == info.etag:
                return {"outcome": "ready", "version": version}
            record = self._take(upload, info)
        if record.state == transaction.REJECTION:
            transaction.tell_rejection(self._store, self._key, record.stored)
        if record.state != transaction.CHECKING:
            return {"outcome": "known", "state": record.state}
        return self._check_and_register(upload, info, record)

    def _take(self, upload: Upload, info: Info) -> Record:
        record = transaction.take(self._store, upload, info.etag, self._tries)
        self._taken = upload, record
        return record

    def _check_and_register(self, upload: Upload, info: Info, record: Record) -> dict[str, Any]:
        with scratch.folder() as folder:
            try:
                manifest = self._press(upload, info, folder)
            except Refused as refused:
                transaction.reject(self._store, upload, record, str(refused))
                return {"outcome": "rejected", "reason": str(refused)}
            transaction.confirm(self._store, upload, record)
            version = transaction.claim(self._store, upload.model, record)
            manifest = self._upload_artifacts(manifest, version, folder)
        self._lap("store")
        record = transaction.commit(self._store, upload, record, manifest)
        self._taken = upload, record
        return {"outcome": "ready", "version": self._finish(upload, record)}

    def _finish(self, upload: Upload, record: Record) -> int:
        version = transaction.finish(self._store, upload, record)
        self._lap("register")
        return version

    # ------------------------------------------------------------------ the file
    def _press(self, upload: Upload, info: Info, folder: str) -> Manifest:
        """Checks the file and writes its artefacts into `folder`: a manifest that lacks version and keys."""
        if upload.alias is not None:
            _refuse_unless(check_name, upload.alias, "alias")
        metadata.check_session(upload.session, "the upload's session")
        checks.check_size(info.size, self._settings)
        path = Path(folder) / trial.MODEL
        sha256 = self._fetch(info, path)
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            scan = graph.scan(data)
        checks.check_graph(scan)
        known = metadata.read(scan.metadata)
        self._lap("scan")
        found = isolation.run_trial(folder, self._settings, known.warmup, self._seconds_for_trial())
        self._lap("trial")
        self._ms |= {f"trial_{stage}": ms for stage, ms in found["ms"].items()}
        notes = {metadata.NOTE: "; ".join(found["notes"])} if found["notes"] else {}
        artifacts = _artifacts(folder, found)
        return Manifest(
            model=upload.model,
            version=0,
            created=transaction.now(),
            artifacts=artifacts,
            inline=_inline(folder, artifacts[0]),
            inputs=_infos(found["inputs"]),
            outputs=_infos(found["outputs"]),
            runtime=found["runtime"],
            labels=known.labels,
            session=known.session | upload.session,
            warmup=found["warmup"],
            metadata=known.others | notes,
            refuses_empty=scan.refuses_empty,
            source={
                "upload": upload.id,
                "key": upload.key,
                "etag": info.etag,
                "size": info.size,
                "sha256": sha256,
                "ir_version": scan.ir_version,
                "opsets": scan.opsets,
                "producer": scan.producer,
            },
        )

    def _seconds_for_trial(self) -> float:
        """What is left of the attempt's time. Raises `Unavailable` when fetching the file took most of it."""
        left, least = self._deadline - time.monotonic(), self._seconds * TRIAL_SHARE
        if left < least:
            raise Unavailable(
                f"{max(left, 0):.0f} s are left to try the model and it needs {least:.0f} s, as the storage "
                f"was slow to give {self._key}; deliver the event again"
            )
        return max(left, 1.0)

    def _fetch(self, info: Info, path: Path) -> str:
        """The object's bytes in a file; their SHA-256. Raises `Unavailable` when it is being replaced."""
        hashed = hashlib.sha256()
        with self._store.fetch(self._key, info.size) as buffer, path.open("wb") as file:
            for start in range(0, info.size, CHUNK):
                part = buffer[start : start + CHUNK]
                hashed.update(part)
                file.write(part)
        if self._store.head(self._key).etag != info.etag:
            raise Unavailable(f"{self._key} was replaced while it was read")
        self._lap("fetch")
        return hashed.hexdigest()

    def _upload_artifacts(self, manifest: Manifest, version: int, folder: str) -> Manifest:
        """Stores the artefacts in the version's folder; the manifest with its version and their keys."""
        artifacts = []
        for artifact in manifest.artifacts:
            key = f"models/{manifest.model}/versions/{version}/{artifact.key}"
            self._store.upload(key, f"{folder}/{artifact.key}")
            artifacts.append(artifact._replace(key=key))
        return manifest._replace(version=version, artifacts=tuple(artifacts))

    # ------------------------------------------------------------------ the log
    def tell_failure(self, error: Exception) -> None:
        """Lets `GET /uploads/{id}` tell of a failed attempt, where the store can still be written to."""
        known = isinstance(error, ColdpressError)
        reason = str(error) if known else "an unexpected error, which the log of ingest has"
        if self._taken is not None:
            # What failed may be the store itself; the log line is there already.
            with suppress(ColdpressError, Superseded):
                transaction.fail(self._store, *self._taken, reason, self._tries)

    def _lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._ms[stage] = round((now - self._at) * 1000, 1)
        self._at = now

    def log(self, outcome: dict[str, Any]) -> None:
        """Writes the attempt's line to standard output, which Lambda forwards to CloudWatch."""
        line = {"service": "coldpress-ingest", **self._fields, **outcome, "ms": self._ms}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _artifacts(folder: str, found: dict[str, Any]) -> tuple[Artifact, ...]:
    portable = _artifact(folder, trial.MODEL, "onnx", optimised=False)
    if not found["optimised"]:
        return (portable,)
    name = found["optimised"]
    best = _artifact(folder, name, name.partition(".")[2], optimised=True)
    return (best._replace(cpu=tuple(found["cpu"])), portable)


def _artifact(folder: str, name: str, kind: str, *, optimised: bool) -> Artifact:
    path = Path(folder) / name
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact(name, path.stat().st_size, sha256, kind, optimised)


def _inline(folder: str, artifact: Artifact) -> str:
    if artifact.size > INLINE_BYTES:
        return ""
    return base64.b64encode((Path(folder) / artifact.key).read_bytes()).decode()


def _infos(rows: list[dict[str, Any]]) -> tuple[TensorInfo, ...]:
    return tuple(TensorInfo(row["name"], row["datatype"], tuple(row["shape"])) for row in rows)


def _refuse_unless(check: Any, *values: str) -> None:
    try:
        check(*values)
    except InvalidRequest as error:
        raise Refused(str(error)) from None
