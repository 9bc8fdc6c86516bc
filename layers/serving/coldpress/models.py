"""Loaded models: alias -> version -> fetched, verified, opened and warmed up; evicted by bytes.

One execution environment answers one request at a time, so nothing here is locked. ONNX Runtime's
library is opened by a thread from the start: it takes longer than fetching a small model.
"""

import threading
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coldpress.cpu import fits
from coldpress.errors import ColdpressError, Internal, NotFound, Unavailable
from coldpress.registry import Alias, Artifact, Manifest, Registry
from coldpress.settings import MIB, Settings
from coldpress.telemetry import Trace
from coldpress.threads import threads_for

if TYPE_CHECKING:
    import mmap

    from coldpress import ort

# The bytes are used where they lie: no second copy of the weights, no parsing.
IN_PLACE = {
    "session.load_model_format": "ORT",
    "session.use_ort_model_bytes_directly": "1",
    "session.use_ort_model_bytes_for_initializers": "1",
}
HASH_ASIDE_BYTES = 1 << 20
CACHE_SHARE = 0.6


class Model:
    """A version that is ready to answer."""

    __slots__ = ("manifest", "session", "size")

    def __init__(self, manifest: Manifest, session: "ort.Session", size: int) -> None:
        self.manifest = manifest
        self.session = session
        self.size = size


class Models:
    """The models of this execution environment, most recently used last."""

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._loaded: dict[tuple[str, int], Model] = {}
        self._aliases: dict[tuple[str, str], tuple[float, Alias]] = {}
        self._failures: dict[tuple[str, int], str] = {}
        self._ahead: _Ahead | None = None
        self._library: ort.Library | None = None
        self._library_error: Exception | None = None
        self._opening = threading.Thread(target=self._open_library, daemon=True)
        self._opening.start()

    # ------------------------------------------------------------------ which version
    def expect(self, model: str, alias: str, version: int) -> None:
        """Begins to read what `manifest` will need, when it is not known yet.

        A cold request so waits once for its API key and its alias, not for one after the other.
        """
        self._ahead = None
        if version and (model, version) not in self._loaded:
            self._ahead = _Ahead((model, version), lambda: self._registry.manifest(model, version))
        elif not version and (model, alias) not in self._aliases:
            self._ahead = _Ahead((model, alias), lambda: self._registry.alias(model, alias))

    def manifest(self, model: str, alias: str, version: int, request_id: str) -> Manifest:
        """The version that answers a request: the one named, else one that the alias routes to.

        The same request id always takes the same route. Raises `NotFound`.
        """
        if version:
            loaded = self._loaded.get((model, version))
            if loaded:
                return loaded.manifest
            ahead = self._taken((model, version))
            manifest: Manifest = ahead.result() if ahead else self._registry.manifest(model, version)
            return manifest
        routes = self._alias(model, alias).routes
        if len(routes) == 1:
            return routes[0].manifest
        point = zlib.crc32(request_id.encode()) / 2**32
        for route in routes:
            point -= route.weight
            if point < 0:
                return route.manifest
        return routes[-1].manifest

    def _alias(self, model: str, name: str) -> Alias:
        now = time.monotonic()
        read, known = self._aliases.get((model, name), (0.0, None))
        if known is not None and now - read < self._settings.alias_seconds:
            return known
        if known is not None:
            alias = self._registry.refresh(known)
        else:
            ahead = self._taken((model, name))
            alias = ahead.result() if ahead else self._registry.alias(model, name)
        self._aliases[model, name] = (now, alias)
        return alias

    def _taken(self, what: tuple[str, str | int]) -> "_Ahead | None":
        ahead, self._ahead = self._ahead, None
        return ahead if ahead is not None and ahead.what == what else None

    # ------------------------------------------------------------------ ready to answer
    def get(self, manifest: Manifest, trace: Trace) -> Model:
        """The loaded model of a version, loading it first if need be.

        Raises:
            Unavailable: it does not fit into the memory, or the storage does not answer.
            Internal: what is stored is not what was published.
        """
        key = (manifest.model, manifest.version)
        model = self._loaded.pop(key, None)
        if model is None:
            try:
                model = self._load(manifest, trace)
            except Exception as error:
                self._failures[key] = str(error)
                raise
            self._failures.pop(key, None)
        self._loaded[key] = model
        return model

    def failure(self, model: str, version: int) -> str:
        """Why a version could not be loaded when last tried here; empty when it could, or was not tried."""
        return self._failures.get((model, version), "")

    def forget(self, model: str) -> None:
        """Makes the next request read the model's aliases anew."""
        self._aliases = {key: value for key, value in self._aliases.items() if key[0] != model}

    def unload(self, model: str) -> None:
        """Frees every loaded version of a model; the next request loads it again."""
        for key in [key for key in self._loaded if key[0] == model]:
            self._loaded.pop(key).session.close()

    def check_library(self) -> "ort.Library":
        """ONNX Runtime's library, once it is open. Raises `Unavailable` when it cannot be opened."""
        self._opening.join()
        if self._library is None:
            raise Unavailable(
                f"ONNX Runtime cannot be opened: {self._library_error}"
            ) from self._library_error
        return self._library

    def _load(self, manifest: Manifest, trace: Trace) -> Model:
        artifact = self._artifact(manifest)
        self._make_room(manifest, artifact)
        at = time.perf_counter()
        try:
            buffer = self._registry.store.fetch(artifact.key, artifact.size)
        except NotFound as error:
            raise Internal(f"{artifact.key} was published, but it is not in the store any more") from error
        at = trace.lap("fetch", at)
        check = _Check(buffer, artifact)
        session = self._open_session(artifact, buffer)
        check.finish()
        at = trace.lap("open", at)
        model = Model(manifest, session, artifact.size)
        if manifest.warmup:
            self._warm_up(model, manifest.warmup)
            trace.lap("warmup", at)
        return model

    def _warm_up(self, model: Model, request: dict[str, Any]) -> None:
        from coldpress.warmup import tensors_of

        try:
            model.session.run(tensors_of(request, self._settings))
        except ColdpressError as error:
            # The stored request is at fault, not the caller's.
            name = f"{model.manifest.model} version {model.manifest.version}"
            raise Internal(f"the warm-up request of {name} fails: {error}") from error

    def _open_session(self, artifact: Artifact, buffer: "mmap.mmap") -> "ort.Session":
        from coldpress import ort

        library = self.check_library()
        options = ort.SessionOptions(
            threads=self._threads(),
            optimisation="none" if artifact.optimised else "all",
            config=IN_PLACE if artifact.format == "ort" else {},
        )
        return ort.Session.open(library, buffer, options)

    def _artifact(self, manifest: Manifest) -> Artifact:
        for artifact in manifest.artifacts:
            if fits(artifact.cpu):
                return artifact
        raise Internal(f"no artefact of {manifest.model} version {manifest.version} fits this machine's CPU")

    def _make_room(self, manifest: Manifest, artifact: Artifact) -> None:
        limit = self._cache_bytes()
        if limit and artifact.size > limit:
            raise Unavailable(
                f"{manifest.model} version {manifest.version} has {artifact.size / MIB:.0f} MiB, and this "
                f"function keeps at most {limit / MIB:.0f} MiB of models; give it more memory"
            )
        while limit and self._loaded and sum(m.size for m in self._loaded.values()) + artifact.size > limit:
            oldest = next(iter(self._loaded))
            self._loaded.pop(oldest).session.close()

    def _cache_bytes(self) -> int:
        return self._settings.model_cache_bytes or int(self._settings.memory_mb * MIB * CACHE_SHARE)

    def _threads(self) -> int:
        return self._settings.threads or threads_for(self._settings.memory_mb)

    def _open_library(self) -> None:
        try:
            from coldpress import ort

            self._library = ort.Library.open(ort.library_path(self._settings.ort_library))
        except Exception as error:  # told to the first request that needs the library
            self._library_error = error


class _Ahead:
    """A read from the registry that is already under way."""

    def __init__(self, what: tuple[str, str | int], read: Callable[[], Any]) -> None:
        self.what = what
        self._read = read
        self._value: Any = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._read()
        except Exception as error:  # raised again where the result is asked for
            self._error = error

    def result(self) -> Any:
        """What was read, or the error that reading it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value


class _Check:
    """Compares the fetched bytes with the manifest's hash, beside the session's opening when large."""

    def __init__(self, buffer: "mmap.mmap", artifact: Artifact) -> None:
        self._artifact = artifact
        self._buffer = buffer
        self._digest = ""
        self._thread: threading.Thread | None = None
        if artifact.size > HASH_ASIDE_BYTES:
            self._thread = threading.Thread(target=self._hash)
            self._thread.start()
        else:
            self._hash()

    def _hash(self) -> None:
        import hashlib

        self._digest = hashlib.sha256(self._buffer).hexdigest()

    def finish(self) -> None:
        """Raises `Internal` when the bytes are not the published ones."""
        if self._thread is not None:
            self._thread.join()
        if self._digest != self._artifact.sha256:
            raise Internal(
                f"{self._artifact.key} does not have the hash that was published; it is not served"
            )
