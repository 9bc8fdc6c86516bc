"""One version, made ready to answer: fetched, verified, opened in place and warmed up.

ONNX Runtime's library is opened by a thread from the start: it takes longer than fetching a small model.
"""

import time
from typing import TYPE_CHECKING, Any

from coldpress.aside import Aside
from coldpress.cpu import fits
from coldpress.errors import ColdpressError, Internal, NotFound, Unavailable
from coldpress.registry import Artifact, Manifest
from coldpress.settings import Settings
from coldpress.store import Store
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
        self._library = Aside(self._open_library)

    def _open_library(self) -> "ort.Library":
        from coldpress import ort

        return ort.Library.open(ort.library_path(self._settings.ort_library))

    def library(self) -> "ort.Library":
        """ONNX Runtime's library, once it is open. Raises `Unavailable` when it cannot be opened."""
        try:
            return self._library.result()
        except Exception as error:
            raise Unavailable(f"ONNX Runtime cannot be opened: {error}") from error

    def artifact(self, manifest: Manifest) -> Artifact:
        """The best artefact for this machine. Raises `Internal` when none fits its CPU."""
        for artifact in manifest.artifacts:
            if fits(artifact.cpu):
                return artifact
        raise Internal(f"no artefact of {manifest.model} version {manifest.version} fits this machine's CPU")

    def open(self, manifest: Manifest, trace: Trace) -> Model:
        """A version, ready to answer.

        Raises:
            Unavailable: the storage does not answer, or ONNX Runtime cannot be opened.
            Internal: what is stored is not what was published.
        """
        artifact = self.artifact(manifest)
        at = time.perf_counter()
        try:
            buffer = self._store.fetch(artifact.key, artifact.size)
        except NotFound as error:
            raise Internal(f"{artifact.key} was published, but it is not in the store any more") from error
        at = trace.lap("fetch", at)
        digest = _digest(buffer, artifact.size)
        session = self._open_session(artifact, buffer)
        if digest.result() != artifact.sha256:
            raise Internal(f"{artifact.key} does not have the hash that was published; it is not served")
        at = trace.lap("open", at)
        model = Model(manifest, session, artifact.size)
        if manifest.warmup:
            self._warm_up(model, manifest.warmup)
            trace.lap("warmup", at)
        return model

    def _open_session(self, artifact: Artifact, buffer: "mmap.mmap") -> "ort.Session":
        from coldpress import ort

        options = ort.SessionOptions(
            threads=self._settings.threads or threads_for(self._settings.memory_mb),
            optimisation="none" if artifact.optimised else "all",
            config=IN_PLACE if artifact.format == "ort" else {},
        )
        return ort.Session.open(self.library(), buffer, options)

    def _warm_up(self, model: Model, request: dict[str, Any]) -> None:
        from coldpress.warmup import tensors_of

        try:
            model.session.run(tensors_of(request, self._settings))
        except ColdpressError as error:
            # The stored request is at fault, not the caller's.
            name = f"{model.manifest.model} version {model.manifest.version}"
            raise Internal(f"the warm-up request of {name} fails: {error}") from error


class _Now:
    """A result that is there already, in the shape of an `Aside`."""

    def __init__(self, value: str) -> None:
        self._value = value

    def result(self) -> str:
        return self._value


def _digest(buffer: "mmap.mmap", size: int) -> "Aside[str] | _Now":
    """The buffer's SHA-256, beside the session's opening when large enough to be worth a thread."""
    import hashlib

    def work() -> str:
        return hashlib.sha256(buffer).hexdigest()

    return Aside(work) if size > HASH_ASIDE_BYTES else _Now(work())
