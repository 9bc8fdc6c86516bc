"""Uploads: where a file goes, who may put it there, and what became of it.

    incoming/{model}/{token}/{filename}      the upload itself, put by its sender
    incoming/{model}/{token}/upload.json     what its sender wants (written by POST /uploads)
    models/{model}/uploads/{token}.json      how far ingest is
    rejected/{model}/{token}/{filename}.json why it was refused

A file copied straight to `incoming/{model}/…` is an upload too; its token comes from its key. So does that of
a file beside the one that upload.json names.
"""

import hashlib
import json
import os
import time
from contextlib import suppress

from coldpress.errors import Conflict, Forbidden, InvalidRequest, NotFound
from coldpress.registry import DEFAULT_ALIAS, check_name
from coldpress.store import Store
from coldpress.typed import Any, NamedTuple

INCOMING = "incoming/"
REJECTED = "rejected/"
RECORD = "upload.json"
MAX_FILENAME = 128
TRIES = 3
"""How often an upload's event is delivered: `maxReceiveCount` of IngestQueue in template.yaml."""
ATTEMPT_SECONDS = 360
"""An attempt that began longer ago has ended: Timeout of IngestFunction in template.yaml, and a minute."""
SILENT_END = "its last attempt ended without a word, for want of memory or time perhaps; ingest's log tells"
LOCAL_ROUTE = "/uploads/files/"


class Upload(NamedTuple):
    """A file that is to become a version."""

    model: str
    token: str
    key: str
    """Where the file is put."""
    alias: str | None = DEFAULT_ALIAS
    """The alias to move once the version is registered; None: leave all as they are."""
    session: dict[str, bool] = {}  # noqa: RUF012 - a NamedTuple's default, never written to
    """The version's `session` settings; they win over those in the file's metadata."""

    @property
    def id(self) -> str:
        """What `GET /uploads/{id}` takes."""
        return f"{self.model}.{self.token}"

    @property
    def progress_key(self) -> str:
        """Where ingest records how far it is."""
        return f"models/{self.model}/uploads/{self.token}.json"

    @property
    def rejection_key(self) -> str:
        """Where ingest records why it refused."""
        return f"{REJECTED}{self.key.removeprefix(INCOMING)}.json"


def new_upload(
    store: Store,
    model: str,
    filename: str,
    alias: str | None = DEFAULT_ALIAS,
    token: str = "",
    session: dict[str, bool] | None = None,
) -> Upload:
    """Opens an upload and stores what its sender wants; with a `token` of one's own, opens it once only.

    Raises `InvalidRequest`.
    """
    if alias is not None:
        check_name(alias, "alias")
    # Time first, so that uploads list in the order they were opened.
    own = token or f"{time.time_ns() // 1_000_000:012x}{os.urandom(6).hex()}"
    folder = f"{INCOMING}{check_name(model)}/{own}"
    upload = Upload(model, own, f"{folder}/{check_filename(filename)}", alias, session or {})
    record: dict[str, Any] = {"filename": filename, "alias": alias}
    if session:
        record["session"] = session
    try:
        store.create(f"{folder}/{RECORD}", json.dumps(record).encode())
    except Conflict:
        if not token:
            raise
    return upload


def check_filename(filename: str) -> str:
    """`filename`, if a model may be uploaded under it. Raises `InvalidRequest`."""
    shown = filename if len(filename) <= MAX_FILENAME else f"{filename[:40]}… ({len(filename)} characters)"
    fits = filename and len(filename) <= MAX_FILENAME and filename[0] not in ".-"
    if not fits or not all(c.isascii() and (c.isalnum() or c in "._-") for c in filename) or ".." in filename:
        raise InvalidRequest(
            f"{shown!r} cannot be a file name: use letters, digits, '.', '_' and '-', at most {MAX_FILENAME}"
        )
    if not filename.endswith(".onnx"):
        raise InvalidRequest(f"{filename!r} must end in .onnx: only ONNX files are ingested")
    return filename


def upload_of(store: Store, key: str) -> Upload:
    """The upload that an object below `incoming/` belongs to.

    Raises:
        InvalidRequest: the key names no model, or one with a name that cannot be.
    """
    model, _, rest = key.removeprefix(INCOMING).partition("/")
    if not key.startswith(INCOMING) or not rest:
        raise InvalidRequest(f"{key!r} is no upload: put files at {INCOMING}MODEL/FILE.onnx")
    check_name(model)
    token, _, filename = rest.partition("/")
    if filename and "/" not in filename:
        with suppress(NotFound):
            record = json.loads(store.get(f"{INCOMING}{model}/{token}/{RECORD}").data)
            # Another file beside it is an upload of its own: with one progress record for both, each would be
            # new to it at every event.
            own = token if record.get("filename", filename) == filename else _token_of(key)
            return Upload(model, own, key, record["alias"], record.get("session", {}))
    return Upload(model, _token_of(key), key)


def _token_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def state_of(store: Store, upload_id: str) -> dict[str, Any]:
    """What became of an upload: `{"id", "model", "state"}`, and what the state adds to it.

    waiting (for the file), received, checking; ready: `version`, `alias`; rejected: `reason`; failed, through
    no fault of the file: `reason`, `tries`, and `again`, whether the queue brings it again by itself.
    Raises `NotFound`.
    """
    model, _, token = upload_id.partition(".")
    missing = NotFound(f"there is no upload {upload_id!r}")
    try:
        check_name(model)
        folder = f"{INCOMING}{model}/{token}"
        record = json.loads(store.get(f"{folder}/{RECORD}").data)
    except (NotFound, InvalidRequest):
        raise missing from None
    upload = Upload(model, token, f"{folder}/{record['filename']}", record["alias"])
    answer: dict[str, Any] = {"id": upload.id, "model": model}
    try:
        progress = json.loads(store.get(upload.progress_key).data)
    except NotFound:
        try:
            store.head(upload.key)
        except NotFound:
            return answer | {"state": "waiting"}
        return answer | {"state": "received"}
    if progress["state"] == "ready":
        return answer | {"state": "ready", "version": progress["version"], "alias": upload.alias}
    if progress["state"] == "rejected":
        return answer | {"state": "rejected", "reason": progress["reason"]}
    return answer | _unfinished(progress)


def _unfinished(progress: dict[str, Any]) -> dict[str, Any]:
    began = progress.get("at", "9999")
    silent = began < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ATTEMPT_SECONDS))
    reason = progress.get("error") or (SILENT_END if silent else "")
    if not reason:
        return {"state": "checking"}
    tries = progress.get("tries", 0)
    return {"state": "failed", "reason": reason, "tries": tries, "again": tries < TRIES}


def sign_upload(secret: str, key: str, expires: int) -> str:
    """The path and query of a signed upload route for a `file://` store; `expires` in epoch seconds."""
    return f"{LOCAL_ROUTE}{key}?expires={expires}&signature={_signature(secret, key, expires)}"


def verify_upload(secret: str, key: str, expires: str, signature: str, now: float) -> None:
    """Raises `Forbidden` unless `sign_upload` made this signature and its time is not over at `now`."""
    import hmac

    seconds = int(expires) if expires.isascii() and expires.isdigit() and len(expires) < 20 else 0
    # Compared as bytes: compare_digest refuses text that is not ASCII, and a caller may send any.
    sent, good = signature.encode("utf-8", "replace"), _signature(secret, key, seconds).encode()
    if not secret or not hmac.compare_digest(sent, good):
        raise Forbidden("the upload URL's signature does not match; ask for a new one with POST /uploads")
    if seconds <= now:
        raise Forbidden("the upload URL has expired; ask for a new one with POST /uploads")


def _signature(secret: str, key: str, expires: int) -> str:
    import hmac

    return hmac.new(secret.encode(), f"PUT\n{key}\n{expires}".encode(), "sha256").hexdigest()
