"""One version, made ready to answer: fetched, verified, opened in place and warmed up."""

import time

from coldpress import engine
from coldpress.aside import Aside
from coldpress.cpu import fits
from coldpress.digest import sha256
from coldpress.errors import ColdpressError, Internal, Unavailable
from coldpress.registry import Artifact, Manifest
from coldpress.settings import Settings
from coldpress.store import Store
from coldpress.telemetry import Trace
from coldpress.threads import threads_for
from coldpress.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap

    from coldpress import ort

# The bytes are used where they lie: no second copy of the weights, no parsing.
IN_PLACE = {
    "session.load_model_format": "ORT",
    "session.use_ort_model_bytes_directly": "1",
    "session.use_ort_model_bytes_for_initializers": "1",
}
HASH_ASIDE_BYTES = 1 << 18


class Model:
    """A version that is ready to answer."""

    __slots__ = ("manifest", "session", "size")

    def __init__(self, manifest: Manifest, session: "ort.Session", size: int) -> None:
        self.manifest = manifest
        self.session = session
        self.size = size


class Opener:
    """Opens versions in this execution environment."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Begins to open ONNX Runtime's library."""
        self._store = store
        self._settings = settings
        self._library = engine.begin(settings.ort_library)

    def library(self) -> "ort.Library":
        """ONNX Runtime's library, once it is open. Raises `Unavailable` when it cannot be opened."""
        try:
            return self._library.result()
        except Exception as error:
            raise Unavailable(f"ONNX Runtime cannot be opened: {error}") from error

    def artifacts(self, manifest: Manifest) -> list[Artifact]:
        """The artefacts for this machine, best first. Raises `Internal` when none fits its CPU."""
        fitting = [artifact for artifact in manifest.artifacts if fits(artifact.cpu)]
        if not fitting:
            raise Internal(f"no artefact of {_name(manifest)} fits this machine's CPU")
        return fitting

    def open(self, manifest: Manifest, trace: Trace) -> Model:
        """A version, ready to answer: its best artefact, or the next one where that does not open.

        Raises:
            Unavailable: the storage does not answer, or ONNX Runtime cannot be opened.
            Internal: no artefact is what was published and opens.
        """
        reason = ""
        for artifact in self.artifacts(manifest):
            try:
                return self._open_artifact(manifest, artifact, trace)
            except Unavailable:
                raise
            except ColdpressError as error:
                reason = f"{artifact.key}: {error}"
                trace.fields["artifact_failed"] = reason
        raise Internal(f"{_name(manifest)} cannot be opened: {reason}")

    def _open_artifact(self, manifest: Manifest, artifact: Artifact, trace: Trace) -> Model:
        at = time.perf_counter()
        buffer = self._store.fetch(artifact.key, artifact.size)
        at = trace.lap("fetch", at)
        digest = _digest(buffer, artifact.size)
        if manifest.warmup:
            # Before the session, which may have to wait for the library.
            from coldpress.warmup import tensors_of

            warmup = tensors_of(manifest.warmup, self._settings)
        session = self._open_session(manifest, artifact, buffer)
        if digest.result() != artifact.sha256:
            raise Internal("it does not have the hash that was published; it is not served")
        at = trace.lap("open", at)
        if manifest.warmup:
            session.run(warmup)
            trace.lap("warmup", at)
        return Model(manifest, session, artifact.size)

    def _open_session(self, manifest: Manifest, artifact: Artifact, buffer: "mmap.mmap") -> "ort.Session":
        from coldpress import ort

        options = ort.SessionOptions(
            threads=self._settings.threads or threads_for(self._settings.memory_mb),
            optimisation="none" if artifact.optimised else "all",
            config=IN_PLACE if artifact.format == "ort" else {},
            arena=manifest.session.get("arena", True),
            memory_pattern=manifest.session.get("memory_pattern", True),
        )
        return ort.Session.open(self.library(), buffer, options)


def _name(manifest: Manifest) -> str:
    return f"{manifest.model} version {manifest.version}"


class _Now:
    """A result that is there already, in the shape of an `Aside`."""

    def __init__(self, value: str) -> None:
        self._value = value

    def result(self) -> str:
        return self._value


def _digest(buffer: "mmap.mmap", size: int) -> "Aside[str] | _Now":
    """The buffer's SHA-256, beside the session's opening when large enough to be worth a thread."""
    if size <= HASH_ASIDE_BYTES:
        return _Now(sha256(buffer).hexdigest())

    def work() -> str:
        import hashlib

        return hashlib.sha256(buffer).hexdigest()

    return Aside(work)
