"""The models that are open in this execution environment: kept by bytes, swapped without a gap.

One environment answers one request at a time, so nothing here is locked; a version that takes over is
opened by a thread while the one before it answers.
"""

import time

from coldpress.aside import Aside
from coldpress.errors import ColdpressError, Unavailable
from coldpress.opening import Model, Opener
from coldpress.registry import Manifest
from coldpress.settings import MIB, Settings
from coldpress.telemetry import Trace
from coldpress.typed import NamedTuple

CACHE_SHARE = 0.6
RETRY_SECONDS = 30.0
"""How long a version that failed to take over is left alone."""
SWAP_SECONDS = 5.0
"""How long the version before goes on answering while the next one is opened.

Between requests Lambda freezes the environment and every thread in it: in one that is asked rarely, the
opening would take hours of requests, and a version that was rolled back would answer them.
"""

Key = tuple[str, int]


class _Coming(NamedTuple):
    """A version that a thread is opening."""

    began: float
    size: int
    opening: Aside[Model]


class Models:
    """Open models, most recently used last."""

    def __init__(self, opener: Opener, settings: Settings) -> None:
        self._opener = opener
        self._limit = settings.model_cache_bytes or int(settings.memory_mb * MIB * CACHE_SHARE)
        self._open: dict[Key, Model] = {}
        self._failures: dict[Key, tuple[float, str]] = {}
        self._served: dict[tuple[str, str], Key] = {}
        self._coming: dict[Key, _Coming] = {}

    def get(
        self, manifest: Manifest, alias: str, trace: Trace, *, shared: bool = False, waiting: bool = False
    ) -> Model:
        """The model that answers: the version of `manifest`, or while that is being opened, or cannot be,
        the one that answered for the same alias before.

        Args:
            alias: empty when the caller named the version: then no other will do.
            shared: several versions share the alias's traffic. Who answers an id then must not depend on
                what is open here: another version answers only if this one cannot be opened.
            waiting: a request will run it at once; see `Opener.open`.

        Raises:
            Unavailable: it does not fit into the memory, or the storage does not answer.
            Internal: what is stored is not what was published.
        """
        key = (manifest.model, manifest.version)
        if self._coming:
            self._take_in()
        model = self._open.pop(key, None)
        if model is None:
            before = self._open.get(self._served.get((manifest.model, alias), ("", 0))) if alias else None
            if before is not None and self._answers_meanwhile(manifest, before, trace, waits=shared):
                return before
            try:
                model = self._open_now(manifest, trace, before if shared else None, warm=not waiting)
            except Exception as error:
                if before is None or before not in self._open.values():
                    raise
                trace.fields["swap_failed"] = f"version {manifest.version}: {error}"
                return before
        self._open[key] = model
        if alias:
            self._served[manifest.model, alias] = key
        return model

    def beside(self, manifest: Manifest, keep: Model, trace: Trace) -> Model:
        """A version that is open at the same time as `keep`.

        Raises:
            Unavailable: both do not fit, or it could not be opened a short while ago.
            ColdpressError: as `get` does.
        """
        key = (manifest.model, manifest.version)
        self._take_in()
        if key not in self._open:
            if reason := self._failed_lately(key):
                raise Unavailable(reason)
            if not self._fits(manifest, keep, self._reserved(key)):
                raise Unavailable(
                    f"{manifest.model} versions {keep.manifest.version} and {manifest.version} do not fit "
                    f"into {self._limit / MIB:.0f} MiB of models together; give the function more memory"
                )
            self._open[key] = self._open_now(manifest, trace, keep, warm=False)
        return self._open[key]

    def failure(self, model: str, version: int) -> str:
        """Why a version could not be opened when last tried here; empty when it could, or was not tried."""
        return self._failures.get((model, version), (0.0, ""))[1]

    def unload(self, model: str) -> None:
        """Frees every open version of a model; the next request opens it again."""
        for key in [key for key in self._open if key[0] == model]:
            self._open.pop(key).session.close()

    def _open_now(self, manifest: Manifest, trace: Trace, keep: Model | None, *, warm: bool) -> Model:
        key = (manifest.model, manifest.version)
        try:
            model = self._waited_for(key)
            if model is None:
                fits = keep is not None and self._fits(manifest, keep, self._reserved(key))
                self._make_room(manifest, keep if fits else None)
                model = self._opener.open(manifest, trace, warm=warm)
        except Exception as error:
            self._failures[key] = (time.monotonic(), str(error))
            raise
        self._failures.pop(key, None)
        return model

    def _answers_meanwhile(self, manifest: Manifest, before: Model, trace: Trace, *, waits: bool) -> bool:
        """Whether `before` may answer; unless the caller `waits`, begins to open the version if need be."""
        key = (manifest.model, manifest.version)
        if reason := self._failed_lately(key):
            trace.fields["swap_failed"] = f"version {manifest.version}: {reason}"
            return True
        if waits:
            return False
        if key in self._coming:
            return time.monotonic() - self._coming[key].began < SWAP_SECONDS
        if not self._fits(manifest, before):
            # Better a slow answer than none.
            return False
        if not self._fits(manifest, before, self._reserved(key)):
            # It begins once the others are here, and can be closed for it.
            began = min(other.began for other in self._coming.values() if other.size)
            return time.monotonic() - began < SWAP_SECONDS
        self._make_room(manifest, keep=before)
        opening = Aside(lambda: self._opener.open(manifest, Trace(counted=False)))
        size = self._opener.artifacts(manifest)[0].size
        self._coming[key] = _Coming(time.monotonic(), size, opening)
        return True

    def _failed_lately(self, key: Key) -> str:
        failed, reason = self._failures.get(key, (0.0, ""))
        return reason if time.monotonic() - failed < RETRY_SECONDS else ""

    def _fits(self, manifest: Manifest, beside: Model, reserved: int = 0) -> bool:
        size = self._opener.artifacts(manifest)[0].size
        return not self._limit or beside.size + size + reserved <= self._limit

    def _reserved(self, key: Key) -> int:
        """Bytes of what is being opened, `key` apart."""
        return sum(coming.size for other, coming in self._coming.items() if other != key)

    def _take_in(self) -> None:
        for key, coming in list(self._coming.items()):
            if not coming.opening.done():
                continue
            try:
                self._open[key] = coming.opening.result()
                self._failures.pop(key, None)
            except Exception as error:  # told by `failure` and in the request's trace
                if time.monotonic() - coming.began >= SWAP_SECONDS:
                    # It may have failed for being frozen: whoever asks for it, if anybody, tries once more.
                    self._coming[key] = coming._replace(size=0)
                    continue
                self._failures[key] = (time.monotonic(), str(error))
            del self._coming[key]

    def _waited_for(self, key: Key) -> Model | None:
        if key not in self._coming:
            return None
        coming = self._coming.pop(key).opening
        try:
            return coming.result()
        except ColdpressError:
            # Its connection may have died while the environment was frozen: the caller tries once more.
            return None

    def _make_room(self, manifest: Manifest, keep: Model | None) -> None:
        size = self._opener.artifacts(manifest)[0].size
        if self._limit and size > self._limit:
            raise Unavailable(
                f"{manifest.model} version {manifest.version} has {size / MIB:.0f} MiB, and this function "
                f"keeps at most {self._limit / MIB:.0f} MiB of models; give it more memory"
            )
        size += self._reserved((manifest.model, manifest.version))
        for key in list(self._open):
            if not self._limit or sum(model.size for model in self._open.values()) + size <= self._limit:
                return
            if self._open[key] is not keep:
                self._open.pop(key).session.close()
