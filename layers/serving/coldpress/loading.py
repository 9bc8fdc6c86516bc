"""An artefact's bytes where ONNX Runtime opens them, and their hash, which is computed meanwhile."""

from coldpress.digest import sha256
from coldpress.errors import ColdpressError, Internal
from coldpress.registry import Artifact
from coldpress.settings import MIB, Settings
from coldpress.store import Store
from coldpress.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable

    from coldpress.disk import Disk

# The bytes are used where they lie: no second copy of the weights, no parsing.
IN_PLACE = {
    "session.load_model_format": "ORT",
    "session.use_ort_model_bytes_directly": "1",
    "session.use_ort_model_bytes_for_initializers": "1",
}
SMALL_BYTES = 1 << 18
"""Hashed in a moment: not worth a thread, nor OpenSSL's import."""


def _nothing(_intact: bool) -> None:
    return None


class Loaded(NamedTuple):
    """What a session is opened from; not verified yet."""

    model: "bytes | mmap.mmap"
    config: dict[str, str]
    """Session settings that belong to its form."""
    digest: "Callable[[], str]"
    """Waits for the SHA-256, in hex."""
    settle: "Callable[[bool], None]" = _nothing
    """To be called once it is known whether the bytes are the right ones."""
    was_here: bool = False
    """On this disk, from before: where it is not right, the storage's may be."""


def load(store: Store, settings: Settings, artifact: Artifact, *, anew: bool = False) -> Loaded:
    """Reads an artefact; from the store even where this disk has it, if it is to be `anew`.

    Raises:
        Unavailable: the storage does not answer.
        NotFound: it is not there.
        Internal: it has another size, or does not fit on the disk.
    """
    if artifact.format == "external":
        return _external(store, settings, artifact, anew=anew)
    config = IN_PLACE if artifact.format == "ort" else {}
    if artifact.size <= SMALL_BYTES:
        small = store.fetch(artifact.key, artifact.size)
        return Loaded(small, config, lambda: str(sha256(small).hexdigest()))
    buffer, hashed = store.follow(artifact.key, artifact.size)
    return Loaded(buffer, config, hashed.result)


def unpack(inline: str, artifact: Artifact) -> Loaded | None:
    """The artefact, if it is what came along in base64."""
    if not inline:
        return None
    import mmap
    from binascii import Error, a2b_base64

    try:
        data = a2b_base64(inline)
    except Error:
        return None
    digest = str(sha256(data).hexdigest())
    if digest != artifact.sha256:
        return None
    # Memory of its own, which begins where a page does: weights are read where they lie.
    buffer = mmap.mmap(-1, max(len(data), 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    buffer[: len(data)] = data
    return Loaded(buffer, IN_PLACE if artifact.format == "ort" else {}, lambda: digest)


def _external(store: Store, settings: Settings, artifact: Artifact, *, anew: bool) -> Loaded:
    """A large one: it lies on the disk."""
    from coldpress.disk import Disk

    if store.folder is not None:
        return _from_file(f"{store.folder}/{artifact.key}", artifact)
    disk = Disk(settings.disk_cache_bytes)
    path = "" if anew else disk.find(artifact.sha256, artifact.size)
    if path:
        try:
            copy = _from_file(path, artifact)
        except (ColdpressError, OSError):
            disk.drop(path)  # it is damaged, or another process has just made room: the store has it
        else:
            return copy._replace(settle=lambda intact: None if intact else disk.drop(path), was_here=True)
    return _downloaded(store, disk, artifact)


def _from_file(path: str, artifact: Artifact) -> Loaded:
    from coldpress import external, following

    hashed = following.of_file(path, artifact.size)
    return Loaded(external.graph_of(path), external.config(path), hashed.result)


def _downloaded(store: Store, disk: "Disk", artifact: Artifact) -> Loaded:
    from coldpress import external

    path = disk.room(artifact.size)
    if not path:
        raise Internal(f"its {artifact.size / MIB:.0f} MiB do not fit on this function's disk")
    try:
        hashed = store.save(artifact.key, artifact.size, path)
        graph = external.graph_of(path)
    except OSError as error:
        disk.drop(path)
        raise Internal(f"its file in this function's /tmp cannot be used: {error}") from error
    except BaseException:
        disk.drop(path)
        raise

    def settle(intact: bool) -> None:
        if intact:
            disk.keep(path, artifact.sha256)
        else:
            disk.drop(path)

    return Loaded(graph, external.config(path), hashed.result, settle)
