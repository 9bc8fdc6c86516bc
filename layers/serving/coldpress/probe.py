"""Whether a store keeps conditional writes: without them two writers could lose each other's versions."""

import os
from contextlib import suppress

from coldpress.errors import Conflict
from coldpress.store import Store, StoreUnusable


def probe(store: Store) -> None:
    """Asks with a scratch object, which needs rights below `probe/`.

    Raises:
        StoreUnusable: the store ignores `If-None-Match` or `If-Match`.
    """
    key = f"probe/{os.urandom(8).hex()}"
    etag = store.create(key, b"1")
    try:
        prove(store, key, b"1", etag)
        store.replace(key, b"2", etag)
    finally:
        store.delete(key)


def prove(store: Store, key: str, data: bytes, etag: str) -> None:
    """Asks with an object of the caller's, which is `data` at `etag` and stays so. Raises `StoreUnusable`."""
    with suppress(Conflict):
        store.create(key, data)
        raise _ignores(store, "If-None-Match: *")
    try:
        store.replace(key, data, f'"{"0" * 32}"')
    except Conflict:
        if etag:
            return
    raise _ignores(store, "If-Match")


def _ignores(store: Store, header: str) -> StoreUnusable:
    return StoreUnusable(
        f"{store.url} ignores {header}: two writers could overwrite each other's versions. "
        "Use a store with conditional writes (S3, SeaweedFS, a folder)"
    )
