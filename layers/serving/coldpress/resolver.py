"""Which version answers a request: aliases, read at most every few seconds, and their routes by weight."""

import time

from coldpress.aside import Aside
from coldpress.digest import sha256
from coldpress.errors import Unavailable
from coldpress.registry import Alias, Manifest, Registry
from coldpress.typed import Any

OUTAGE_SECONDS = 5.0
"""While the storage does not answer, how long until it is asked again."""


class Resolver:
    """Aliases as this execution environment last read them, and the manifests it has seen."""

    def __init__(self, registry: Registry, seconds: float) -> None:
        """`seconds`: how long an alias is used before it is read again."""
        self._registry = registry
        self._seconds = seconds
        self._known: dict[tuple[str, str], tuple[float, Alias]] = {}
        # Immutable once written, so never read again.
        self._manifests: dict[tuple[str, int], Manifest] = {}
        # When the storage did not answer the question for an alias, and what the error was.
        self._outages: dict[tuple[str, str], tuple[float, str]] = {}
        self._ahead: tuple[tuple[str, str | int], Aside[Any]] | None = None

    def expect(self, model: str, alias: str, version: int) -> None:
        """Begins to read what `manifest` will need, when it is not known yet.

        A cold request so waits once for its API key and its alias, not for one after the other.
        """
        self._ahead = None
        if version and (model, version) not in self._manifests:
            self._ahead = (model, version), Aside(lambda: self._registry.manifest(model, version))
        elif not version and (model, alias) not in self._known:
            self._ahead = (model, alias), Aside(lambda: self._registry.alias(model, alias))

    def manifest(self, model: str, alias: str, version: int, request_id: str) -> Manifest:
        """The version named, else one that the alias routes to; the same request id takes the same route.

        Raises:
            NotFound: no such model, alias or version.
        """
        if version:
            return self._version(model, version)
        routes = self._alias(model, alias).routes
        if len(routes) > 1:
            # A checksum would not do: CRC-32 of ids that count up is 7 percentage points off the shares.
            digest = sha256(request_id.encode("utf-8", "surrogatepass")).digest()
            point = int.from_bytes(digest[:8], "big") / 2**64
            for route in routes:
                point -= route.weight
                if point < 0:
                    return route.manifest
        return routes[-1].manifest

    def is_shared(self, model: str, alias: str) -> bool:
        """Whether several versions share the traffic of an alias that was read before."""
        _, known = self._known.get((model, alias), (0.0, None))
        return known is not None and len(known.routes) > 1

    def shadow(self, model: str, alias: str) -> int:
        """The version that runs beside the answers of an alias that was read before; 0: none."""
        _, known = self._known.get((model, alias), (0.0, None))
        return 0 if known is None else known.shadow

    def outage(self, model: str, alias: str) -> str:
        """Why an alias that was read before could not be read again when last tried; empty when it could."""
        return self._outages.get((model, alias), (0.0, ""))[1]

    def forget(self, model: str = "") -> None:
        """Makes the next request read the aliases of a model, or all of them, anew."""
        self._known = {key: value for key, value in self._known.items() if model not in ("", key[0])}

    def _version(self, model: str, version: int) -> Manifest:
        known = self._manifests.get((model, version))
        if known is None:
            ahead = self._taken((model, version))
            known = ahead.result() if ahead else self._registry.manifest(model, version)
            self._manifests[model, version] = known
        return known

    def _alias(self, model: str, name: str) -> Alias:
        now = time.monotonic()
        read, known = self._known.get((model, name), (0.0, None))
        if known is not None and now - read < self._seconds:
            return known
        if known is not None:
            alias = self._refreshed(known, now)
        else:
            ahead = self._taken((model, name))
            alias = ahead.result() if ahead else self._registry.alias(model, name)
        self._known[model, name] = (now, alias)
        return alias

    def _refreshed(self, known: Alias, now: float) -> Alias:
        """The alias as it is now; as it was, where the storage does not answer: what is open still serves."""
        key = (known.model, known.name)
        failed, reason = self._outages.get(key, (0.0, ""))
        if reason and now - failed < OUTAGE_SECONDS:
            return known
        try:
            alias = self._registry.refresh(known)
        except Unavailable as error:
            # By the clock after it: the question may have taken longer than the wait until the next.
            self._outages[key] = (time.monotonic(), str(error))
            return known
        self._outages.pop(key, None)
        return alias

    def _taken(self, what: tuple[str, str | int]) -> Aside[Any] | None:
        ahead, self._ahead = self._ahead, None
        return ahead[1] if ahead is not None and ahead[0] == what else None
