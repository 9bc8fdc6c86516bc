"""One version, made ready to answer: fetched, verified, opened in place and warmed up."""

import time

from coldpress import engine
from coldpress.cpu import fits
from coldpress.errors import ColdpressError, Internal, InvalidRequest, Unavailable
from coldpress.loading import Loaded, load, unpack
from coldpress.registry import Artifact, Manifest
from coldpress.settings import Settings
from coldpress.store import Store
from coldpress.telemetry import Trace
from coldpress.threads import threads_for
from coldpress.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from coldpress import ort
    from coldpress.tensors import Tensor


class Model:
    """A version that is ready to answer."""

    __slots__ = ("manifest", "session", "size")

    def __init__(self, manifest: Manifest, session: "ort.Session", size: int) -> None:
        self.manifest = manifest
        self.session = session
        self.size = size

    def run(
        self, inputs: "list[Tensor]", outputs: list[str] | None = None, *, deadline: float | None = None
    ) -> "list[Tensor]":
        """As `ort.Session.run`; raises `InvalidRequest` also for what the process would not survive."""
        if self.manifest.refuses_empty:
            for tensor in inputs:
                if 0 in tensor.shape:
                    raise InvalidRequest(
                        f"input {tensor.name!r} has the shape {list(tensor.shape)}, which holds nothing; "
                        "this model's recurrent layers need at least one step and one row"
                    )
        return self.session.run(inputs, outputs, deadline=deadline)


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

    def open(self, manifest: Manifest, trace: Trace, *, warm: bool = True) -> Model:
        """A version, ready to answer: its best artefact, or the next one where that does not open.

        Args:
            warm: whether its warm-up request is run. A request that waits for the model does itself, at its
                first run, whatever the warm-up would have done.

        Raises:
            Unavailable: the storage does not answer, or ONNX Runtime cannot be opened.
            Internal: no artefact is what was published and opens.
        """
        reason = ""
        for artifact in self.artifacts(manifest):
            try:
                return self._open_artifact(
                    manifest, artifact, trace, warm=warm and manifest.warmup is not None
                )
            except Unavailable:
                raise
            except ColdpressError as error:
                reason = f"{artifact.key}: {error}"
                trace.fields["artifact_failed"] = reason
        raise Internal(f"{_name(manifest)} cannot be opened: {reason}")

    def _open_artifact(
        self, manifest: Manifest, artifact: Artifact, trace: Trace, *, warm: bool, anew: bool = False
    ) -> Model:
        at = time.perf_counter()
        loaded = unpack(manifest.inline, artifact) or load(self._store, self._settings, artifact, anew=anew)
        at = trace.lap("fetch", at)
        intact = False
        try:
            try:
                warmup = self._warmup(manifest) if warm else []
                session = self._open_session(manifest, artifact, loaded)
            finally:
                # Of what does not open too: a damaged copy must go, and a good one need not be fetched again.
                intact = loaded.digest() == artifact.sha256
        except ColdpressError:
            if intact or not loaded.was_here:
                raise
        finally:
            loaded.settle(intact)
        if not intact and loaded.was_here:
            return self._open_artifact(manifest, artifact, trace, warm=warm, anew=True)
        if not intact:
            raise Internal("it does not have the hash that was published; it is not served")
        at = trace.lap("open", at)
        if warm:
            session.run(warmup)
            trace.lap("warmup", at)
        return Model(manifest, session, artifact.size)

    def _warmup(self, manifest: Manifest) -> "list[Tensor]":
        # Before the session, which may have to wait for the library.
        from coldpress.warmup import tensors_of

        return tensors_of(manifest.warmup or {}, self._settings)

    def _open_session(self, manifest: Manifest, artifact: Artifact, loaded: Loaded) -> "ort.Session":
        from coldpress import ort

        options = ort.SessionOptions(
            threads=self._settings.threads or threads_for(self._settings.memory_mb),
            optimisation="none" if artifact.optimised else "all",
            config=loaded.config,
            arena=manifest.session.get("arena", True),
            memory_pattern=manifest.session.get("memory_pattern", True),
        )
        return ort.Session.open(self.library(), loaded.model, options)


def _name(manifest: Manifest) -> str:
    return f"{manifest.model} version {manifest.version}"
