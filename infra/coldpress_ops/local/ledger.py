"""What became of each event: one small file per object, so that a kill at any moment loses none.

events/{queue}/{hash of the key}.json
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from coldpress_ops.local.events import Object

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One event: an object at one ETag. A newer object under the same key replaces it."""

    key: str
    size: int
    etag: str
    modified: int
    message_id: str
    sent: float
    """Seconds since the epoch, as `due`."""
    state: Literal["pending", "done", "dead"] = "pending"
    receives: int = 0
    """Deliveries so far, the one going on included."""
    due: float = 0.0
    """Not to be delivered before."""

    @property
    def object(self) -> Object:
        """The object the event is about."""
        return Object(self.key, self.size, self.etag, self.modified)


class Ledger:
    """The entries of one queue, in memory and on disk; every change is on disk before it counts."""

    def __init__(self, folder: Path) -> None:
        """Reads what is there."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        found = filter(None, map(_read, folder.glob("*.json")))
        self._entries = {entry.key: entry for entry in found}

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, oldest first."""
        return iter(sorted(self._entries.values(), key=lambda entry: entry.sent))

    def get(self, key: str) -> Entry | None:
        """The entry of an object."""
        return self._entries.get(key)

    def put(self, entry: Entry) -> None:
        """Stores an entry."""
        write_json(self._path(entry.key), asdict(entry))
        self._entries[entry.key] = entry

    def forget(self, key: str) -> None:
        """Removes the entry of an object that is gone."""
        self._path(key).unlink(missing_ok=True)
        self._entries.pop(key, None)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _read(path: Path) -> Entry | None:
    """An entry; None for one that a power cut tore: its object is then found anew and delivered again."""
    try:
        return Entry(**json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        logger.warning("%s is damaged; its event will be delivered again", path)
        path.unlink()
        return None


def write_json(path: Path, value: object) -> None:
    """Writes a JSON file whole: a process that is killed leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
    temporary.replace(path)
