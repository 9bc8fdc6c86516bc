"""Checkpoints in object storage: an object each, and one pointer that says which of them count.

    {prefix}/{step}-{random}.pt     immutable
    {prefix}/latest.json            moved by compare-and-swap, after the object is whole

A process that is killed while it writes leaves an object that nothing points to; the next save removes it.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from coldpress.errors import Conflict, NotFound, Unavailable
from coldpress.store import Store
from coldpress_build.errors import BuildError

KEPT = 2
RETRY_SECONDS = 60
"""A store that does not answer for a moment must not end hours of work."""


@dataclass
class Checkpoints:
    """The checkpoints of one fit, below `prefix` of a store. One process writes them."""

    store_url: str
    prefix: str = ""
    resume: bool = True
    """Whether what is there already counts; otherwise the first save replaces it."""
    keep: bool = True
    """Whether they stay when the run is done."""
    _etag: str | None = field(default=None, repr=False)
    _kept: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @classmethod
    def at(cls, place: str | Path, *, resume: bool) -> "Checkpoints":
        """Those at a store's URL, or in a folder."""
        url = str(place) if "://" in str(place) else f"file://{Path(place).absolute()}"
        return cls(url, resume=resume, keep=False)

    @cached_property
    def _store(self) -> Store:
        # Not before it is needed: a folder is made as soon as it is opened.
        return Store(self.store_url)

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.store_url.rstrip('/')}/{self.prefix}".rstrip("/")

    def within(self, name: str) -> "Checkpoints":
        """Those of one part of the work."""
        return Checkpoints(self.store_url, f"{self.prefix}/{name}".lstrip("/"), self.resume, self.keep)

    def names(self) -> list[str]:
        """The parts that have some."""
        return self._store.folders(self.prefix)

    def latest(self) -> bytes | None:
        """The newest checkpoint that is whole; None where there is none, or none counts.

        Raises:
            Unavailable: the store cannot be read.
            BuildError: there are some, and none is whole, or the pointer is not.
        """
        self._read_pointer()
        if not self.resume:
            return None
        for entry in self._kept:
            try:
                state = self._store.get(entry["key"]).data
            except NotFound:
                continue
            if hashlib.sha256(state).hexdigest() == entry["sha256"]:
                return state
        if self._kept:
            steps = ", ".join(str(entry["step"]) for entry in self._kept)
            raise BuildError(
                f"the checkpoints of steps {steps} in {self.where} are missing or damaged; start from the "
                "beginning, without --resume"
            )
        return None

    def save(self, step: int, state: bytes) -> None:
        """Keep `state`, of that step; when it returns, it survives this machine.

        Raises:
            Unavailable: the store does not take it, for a minute. The one before stays.
            BuildError: another process writes here too; the pointer there is, and counts, is damaged.
        """
        key = f"{self.prefix}/{step:09d}-{os.urandom(4).hex()}.pt".lstrip("/")
        trying = Retrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_delay(RETRY_SECONDS),
            wait=wait_exponential(0.2, max=10),
            reraise=True,
        )
        trying(self._put, key, state)
        entry = {"step": step, "key": key, "sha256": hashlib.sha256(state).hexdigest(), "bytes": len(state)}
        if self._etag is None:
            self._read_pointer()
        kept = [entry, *(self._kept if self.resume else [])][:KEPT]
        trying(self._point, kept)
        self._kept, self.resume = kept, True
        self._tidy()

    def remove(self) -> None:
        """All of them, and of every part: the work is done."""
        for info in list(self._store.walk(self.prefix)):
            self._store.delete(info.key)
        if self._store.folder is not None:  # where folders outlive their files
            shutil.rmtree(Path(self._store.folder) / self.prefix, ignore_errors=True)

    @property
    def _pointer(self) -> str:
        return f"{self.prefix}/latest.json".lstrip("/")

    def _read_pointer(self) -> None:
        try:
            blob = self._store.get(self._pointer)
        except NotFound:
            self._etag, self._kept = "", []
        else:
            # Without resume it will be replaced, whatever it holds.
            kept = self._listed(blob.data) if self.resume else []
            self._etag, self._kept = blob.etag, kept

    def _listed(self, pointer: bytes) -> list[dict[str, Any]]:
        try:
            return [
                entry | {"step": int(entry["step"]), "key": str(entry["key"]), "sha256": str(entry["sha256"])}
                for entry in json.loads(pointer)["checkpoints"]
            ]
        except (ValueError, TypeError, KeyError) as error:
            raise BuildError(
                f"{self.where}/latest.json is damaged, it does not list checkpoints; start from the "
                "beginning: without --resume, or with that file removed"
            ) from error

    def _put(self, key: str, state: bytes) -> None:
        # Streamed from a file: in parts when it is large, each with a timeout of its own.
        with tempfile.NamedTemporaryFile(prefix="coldpress-checkpoint-") as file:
            file.write(state)
            file.flush()
            self._store.upload(key, file.name)

    def _point(self, kept: list[dict[str, Any]]) -> None:
        data = json.dumps({"checkpoints": kept}, indent=1).encode()
        try:
            if self._etag:
                self._etag = self._store.replace(self._pointer, data, self._etag)
            else:
                self._etag = self._store.create(self._pointer, data)
        except (Conflict, NotFound) as error:
            # An answer that got lost on its way looks like somebody else's write: it is ours if it says so.
            blob = self._store.get(self._pointer)
            if blob.data != data:
                raise BuildError(
                    f"another process writes checkpoints to {self.where}; stop it, or give this run a place "
                    "of its own with --checkpoints"
                ) from error
            self._etag = blob.etag

    def _tidy(self) -> None:
        kept = {entry["key"] for entry in self._kept} | {self._pointer}
        for info in list(self._store.walk(self.prefix)):
            if Path(info.key).parent == Path(self.prefix) and info.key not in kept:
                self._store.delete(info.key)
