"""Data of this machine -> `datasets/{name}/{fingerprint}/…` in the store: the same data is stored once."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from coldpress.errors import InvalidRequest, NotFound
from coldpress.registry import MAX_NAME
from coldpress.runs import DATASETS
from coldpress.store import Store
from coldpress_build.data.packaged import PACKAGED

THREADS = 16
FINGERPRINT = 16
"""Hexadecimal digits of a SHA-256 in a key."""


def stored(store: Store, source: str) -> str:
    """What a run's record says of `source`: the key of a local file or folder, which is uploaded unless it is
    there already; a key below `datasets/`, with or without the store's URL, or a packaged set's name, as is.

    Raises:
        InvalidRequest: a URL of another store, an empty folder, or neither a file nor a name.
    """
    within = source.removeprefix(f"{store.url}/")
    path = Path(source)
    if within.startswith(DATASETS):
        return within
    if "://" in source:
        raise InvalidRequest(f"{source} is not below {store.url}/{DATASETS}: a job reads nothing else")
    if path.is_dir():
        return _folder(store, path)
    if path.is_file():
        return _put(store, path, f"{_prefix(path.stem)}/{_digest(path)}/{_safe(path.name)}")
    if source.lower().replace("_", "-") not in PACKAGED:
        raise InvalidRequest(
            f"there is no data {source!r}: give a file, a folder, a key below {DATASETS}, or one of the "
            f"packaged sets {', '.join(PACKAGED)}"
        )
    return source


def _folder(store: Store, folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise InvalidRequest(f"the folder {folder} is empty")
    names = [path.relative_to(folder).as_posix() for path in files]
    with ThreadPoolExecutor(THREADS) as pool:
        digests = list(pool.map(_digest, files))
        whole = hashlib.sha256("\n".join(map(" ".join, zip(digests, names, strict=True))).encode())
        key = f"{_prefix(folder.resolve().name)}/{whole.hexdigest()[:FINGERPRINT]}/"
        list(pool.map(lambda row: _put(store, row[0], key + row[1]), zip(files, names, strict=True)))
    return key


def _put(store: Store, path: Path, key: str) -> str:
    try:
        there = store.head(key).size
    except NotFound:
        there = -1
    if there != path.stat().st_size:  # an object appears whole, so its size tells it from another's
        store.upload(key, str(path))
    return key


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:FINGERPRINT]


def _prefix(name: str) -> str:
    return DATASETS + (re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:MAX_NAME] or "data")


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip(".-") or "data"
