"""API keys and their scopes, checked in this process.

    keys/{sha256 of the key}.json   {"id", "scopes", "expires"}; deleting it revokes the key

The key itself is stored nowhere. Scopes are `predict:GLOB` (models by name), `read` and `admin`;
`admin` covers everything, `read` does not cover predictions.
"""

import json
import time
from collections.abc import Mapping

from coldpress.digest import sha256
from coldpress.errors import Forbidden, InvalidRequest, NotFound, Unauthorized, Unavailable
from coldpress.store import Store
from coldpress.typed import Any, NamedTuple

KEY_PREFIX = "cp_"
MAX_KEY_LENGTH = 200
OUTAGE_TRUST_SECONDS = 900.0
"""How much longer a key that was good is trusted while the storage does not answer."""
OUTAGE_SECONDS = 5.0
"""While it does not answer, how long until it is asked again."""


class Caller(NamedTuple):
    """Who a checked key belongs to."""

    id: str
    scopes: tuple[str, ...]
    expires: float
    """Seconds since the epoch; 0: never."""

    def may(self, scope: str) -> bool:
        """Whether `scope` (`read`, `admin`, `predict:model`) is covered."""
        if "admin" in self.scopes or scope in self.scopes:
            return True
        if not scope.startswith("predict:"):
            return False
        if "predict:*" in self.scopes:  # what most keys have, without an import
            return True
        from fnmatch import fnmatchcase

        return any(s.startswith("predict:") and fnmatchcase(scope, s) for s in self.scopes)


class Access:
    """Checks callers against the keys in the store, remembering good ones for a while."""

    def __init__(self, store: Store, seconds: float) -> None:
        """`seconds`: how long a checked key is trusted before it is read again."""
        self._store = store
        self._seconds = seconds
        # By the key itself, which its request holds anyway: hashing it takes a tenth of a warm request.
        self._known: dict[str, tuple[float, Caller]] = {}
        self._outages: dict[str, float] = {}

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who sent these headers (names in lower case). Raises `Unauthorized`."""
        key = key_in(headers)
        now = time.time()
        checked, caller = self._known.get(key, (0.0, None))
        # A clock that was set back tells nothing about how old that is: the key is read again.
        if caller is None or not 0 <= now - checked < self._seconds:
            caller = self._checked(key, now)
        if caller.expires and caller.expires <= now:
            raise Unauthorized(
                f"the API key {caller.id!r} has expired; create one with: coldpress keys create"
            )
        return caller

    def _checked(self, key: str, now: float) -> Caller:
        """The caller as stored now; as before for a while, when the storage does not answer."""
        checked, known = self._known.pop(key, (0.0, None))
        trusted = known is not None and 0 <= now - checked < self._seconds + OUTAGE_TRUST_SECONDS
        if known is not None and trusted and 0 <= now - self._outages.get(key, 0.0) < OUTAGE_SECONDS:
            self._known[key] = (checked, known)
            return known
        try:
            caller = self._read(_digest(key))
        except Unavailable:
            if known is None or not trusted:
                raise
            self._known[key], self._outages[key] = (checked, known), time.time()
            return known
        self._outages.pop(key, None)
        self._known[key] = (now, caller)
        return caller

    def forget(self) -> None:
        """Makes the next request of every caller read its key anew."""
        self._known.clear()

    def _read(self, digest: str) -> Caller:
        try:
            return _caller(json.loads(self._store.get(f"keys/{digest}.json").data))
        except NotFound:
            raise Unauthorized("unknown API key; create one with: coldpress keys create") from None


def key_in(headers: Mapping[str, str]) -> str:
    """The API key in a request's headers (names in lower case). Raises `Unauthorized`."""
    key = headers.get("x-api-key", "")
    if not key:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = token.strip() if scheme.lower() == "bearer" else ""
    if not key:
        raise Unauthorized("no API key: send it as 'x-api-key: KEY' or 'Authorization: Bearer KEY'")
    if len(key) > MAX_KEY_LENGTH:
        raise Unauthorized(f"an API key has at most {MAX_KEY_LENGTH} characters, this one has {len(key)}")
    return key


def require(caller: Caller, scope: str) -> None:
    """Raises `Forbidden` unless the caller's scopes cover `scope`."""
    if not caller.may(scope):
        raise Forbidden(
            f"the API key {caller.id!r} has the scopes {', '.join(caller.scopes)}; this needs {scope}"
        )


def create_key(store: Store, scopes: tuple[str, ...], expires: float = 0) -> tuple[str, Caller]:
    """Makes a key and stores its record; the key's text is returned once and kept nowhere.

    Raises:
        InvalidRequest: an unknown scope.
    """
    import secrets

    for scope in scopes:
        if scope not in ("read", "admin") and not (
            scope.startswith("predict:") and len(scope) > len("predict:")
        ):
            raise InvalidRequest(f"{scope!r} is no scope; the scopes are admin, read and predict:GLOB")
    if not scopes:
        raise InvalidRequest("a key needs at least one scope: admin, read or predict:GLOB")
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    caller = Caller(f"key-{secrets.token_hex(4)}", scopes, expires)
    store.create(f"keys/{_digest(key)}.json", json.dumps(caller._asdict()).encode())
    return key, caller


def list_keys(store: Store) -> list[Caller]:
    """Every key's record, by id."""
    return sorted(_caller(json.loads(store.get(info.key).data)) for info in store.walk("keys"))


def revoke_key(store: Store, key_id: str) -> None:
    """Deletes a key's record; running functions refuse it within `key_seconds`. Raises `NotFound`."""
    for info in store.walk("keys"):
        if json.loads(store.get(info.key).data)["id"] == key_id:
            store.delete(info.key)
            return
    raise NotFound(f"there is no key {key_id!r}; see: coldpress keys list")


def _digest(key: str) -> str:
    return str(sha256(key.encode("utf-8", "surrogatepass")).hexdigest())


def _caller(record: dict[str, Any]) -> Caller:
    return Caller(record["id"], tuple(record["scopes"]), float(record.get("expires", 0)))
