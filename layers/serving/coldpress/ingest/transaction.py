"""How far an upload is: one record, moved only by compare-and-swap.

    checking -> registering -> ready        or        checking -> rejected

Whoever moves the record to `registering` has decided the version; everything after that can be repeated by
anybody. An attempt that finds the record changed stops: the other one finishes the work. So no crash and no
repeated, late or concurrent event loses or doubles anything.
"""

import hashlib
import json
import os
import time
from typing import Any, NamedTuple

from coldpress.errors import Conflict, NotFound
from coldpress.probe import prove
from coldpress.registry import Manifest, Registry
from coldpress.store import Store
from coldpress.uploads import INCOMING, REJECTED, Upload

CHECKING, REGISTERING, READY, REJECTION = "checking", "registering", "ready", "rejected"
ROUNDS = 16
_PROVEN: set[str] = set()
MAX_PARTS, MAX_PART = 8, 160


class Superseded(Exception):
    """Another attempt has taken the upload over."""


class Record(NamedTuple):
    """The progress record as it was read or written, and its ETag."""

    stored: dict[str, Any]
    etag: str

    @property
    def state(self) -> str:
        """One of the four states."""
        return str(self.stored["state"])


def take(store: Store, upload: Upload, etag: str, tries: int = 0) -> Record:
    """The record of this upload, made ours unless it needs no checking.

    Args:
        etag: of the uploaded object. The same object is checked once; another one under its key is new.
        tries: how often the event has come; kept for whoever asks what became of the upload.

    Returns:
        `checking`: ours. `registering`: to be finished by `finish`. `ready`, `rejected`: nothing to check.

    Raises:
        Conflict: many attempts keep taking it from each other; try later.
        StoreUnusable: the store ignores the conditions of writes, on which all of this rests.
    """
    mine = {"state": CHECKING, "etag": etag, "attempt": os.urandom(8).hex(), "at": now(), "tries": tries}
    for _ in range(ROUNDS):
        try:
            blob = store.get(upload.progress_key)
        except NotFound:
            try:
                record = Record(mine, store.create(upload.progress_key, _dump(mine)))
            except Conflict:
                continue
            return _proven(store, upload, record)
        found = Record(json.loads(blob.data), blob.etag)
        same = found.stored["etag"] == etag
        if found.state == REGISTERING or (same and found.state in (READY, REJECTION)):
            return found
        try:
            record = Record(mine, store.replace(upload.progress_key, _dump(mine), found.etag))
        except (Conflict, NotFound):
            continue
        return _proven(store, upload, record)
    raise Conflict(f"upload {upload.id} is being ingested by several attempts at once")


def _proven(store: Store, upload: Upload, record: Record) -> Record:
    """`record`, with which each process asks a store once whether it keeps conditional writes."""
    if store.url not in _PROVEN:
        prove(store, upload.progress_key, _dump(record.stored), record.etag)
        _PROVEN.add(store.url)
    return record


def confirm(store: Store, upload: Upload, record: Record) -> None:
    """Raises `Superseded` when the record is no longer ours: saves writing a version that nobody will see."""
    if store.get(upload.progress_key).etag != record.etag:
        raise Superseded


def claim(store: Store, model: str, record: Record) -> int:
    """A version number that nobody else has or will get; its folder is ours to write."""
    taken = [int(name) for name in store.folders(f"models/{model}/versions") if name.isdigit()]
    version = max(taken, default=0) + 1
    while True:
        try:
            store.create(f"models/{model}/versions/{version}/claim.json", _dump(record.stored))
        except Conflict:
            version += 1
        else:
            return version


def commit(store: Store, upload: Upload, record: Record, manifest: Manifest) -> Record:
    """Decides that `manifest` is this upload's version. Raises `Superseded`."""
    return _move(store, upload, record, {"state": REGISTERING, "manifest": manifest.to_json()})


def finish(store: Store, upload: Upload, record: Record) -> int:
    """Registers what was committed and moves the alias; the version. Can be repeated, even side by side."""
    manifest = Manifest.from_json(record.stored["manifest"])
    registry = Registry(store)
    registry.add(manifest)
    if upload.alias is not None:
        registry.move(upload.model, upload.alias, {manifest.version: 1.0}, now(), only_forward=True)
    try:
        _move(store, upload, record, {"state": READY, "version": manifest.version})
    except Superseded:
        # Another attempt did the same steps with the same manifest and was first.
        return manifest.version
    return manifest.version


def reject(store: Store, upload: Upload, record: Record, reason: str) -> None:
    """Records why the upload was refused; the upload itself stays. Raises `Superseded`."""
    moved = _move(store, upload, record, {"state": REJECTION, "reason": reason})
    tell_rejection(store, upload.key, moved.stored)


def fail(store: Store, upload: Upload, record: Record, reason: str, tries: int) -> None:
    """Records why an attempt failed; the next one goes on from the same state. Raises `Superseded`."""
    kept = {name: value for name, value in record.stored.items() if name not in ("at", "attempt", "etag")}
    _move(store, upload, record, kept | {"error": reason, "tries": tries})


def tell_rejection(store: Store, key: str, stored: dict[str, Any]) -> None:
    """Writes `rejected/….json`; again for a record that says so already, as a crash may have come between."""
    told = {"key": key, "reason": stored["reason"], "at": stored["at"], "etag": stored.get("etag", "")}
    store.overwrite(rejection_key(key), _dump(told))


def rejection_key(key: str) -> str:
    """Where the refusal of an upload is told; a key with odd characters is made safe and stays unique."""
    rest = key.removeprefix(INCOMING)
    safe = "/".join(_safe(part) for part in rest.split("/")[:MAX_PARTS])
    if safe != rest:
        safe += "-" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{REJECTED}{safe}.json"


def _safe(part: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in part[:MAX_PART])
    return kept if kept.strip(".") else "_"


def now() -> str:
    """ISO 8601, UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _move(store: Store, upload: Upload, record: Record, change: dict[str, Any]) -> Record:
    moved = {name: record.stored[name] for name in ("etag", "attempt")} | {"at": now()} | change
    data = _dump(moved)
    try:
        return Record(moved, store.replace(upload.progress_key, data, record.etag))
    except (Conflict, NotFound):
        # A storage client repeats a write whose answer got lost, and is then refused by its own first one.
        blob = store.get(upload.progress_key)
        if blob.data == data:
            return Record(moved, blob.etag)
        raise Superseded from None


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
