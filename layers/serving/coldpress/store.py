"""Object storage by URL: `s3://bucket`, `gs://bucket`, `az://container`, `file:///folder`, `memory:///`.

A thin skin over obstore that speaks Coldpress's errors and offers only writes that cannot
lose anything: create if absent, replace if unchanged, or overwrite as a whole. What a cold request
reads from S3 comes through `coldpress.s3`, which is there before obstore would be.
"""

import mmap
import os
import threading
from collections.abc import Callable, Iterator

from coldpress.aside import each
from coldpress.errors import ColdpressError, Conflict, Internal, InvalidRequest, Unavailable
from coldpress.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from coldpress import s3
    from coldpress.following import Following

# One connection to S3 gives about 90 MiB/s, so a large object is read as parallel ranges.
PART_BYTES = 8 << 20
PARALLEL_PARTS = 8
BLOCK_BYTES = PARALLEL_PARTS * PART_BYTES
HUGE_BYTES = 4 << 20
# A caller waits for at most 29 s (API Gateway's limit), so a store that does not answer must be told of long
# before. obstore's own limits are 30 s a try and 3 minutes of tries: here 10 s a try (a part at 0.8 MB/s),
# and no new try once 5 s have passed.
TIMEOUT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5
RETRY_SECONDS = 5

SCHEMES = ("s3", "gs", "az", "file", "memory")
SIGNING_SCHEMES = ("s3://", "gs://", "az://")


class StoreUnusable(ColdpressError):
    """The store cannot keep what Coldpress promises, or its URL is wrong."""


class Blob(NamedTuple):
    """An object's bytes and the ETag they were read at."""

    data: bytes
    etag: str


class Info(NamedTuple):
    """What a listing says of an object. `modified` is in seconds since the epoch."""

    key: str
    size: int
    etag: str
    modified: float


class Store:
    """One bucket or folder.

    Every method raises `Unavailable` when the storage refuses or does not answer within the timeouts,
    and `InvalidRequest` for a key that cannot be one (`..`, `//`, or longer than the storage takes).
    """

    def __init__(self, url: str) -> None:
        """Raises `StoreUnusable` when `url` is empty, malformed or of an unknown scheme."""
        if not url:
            raise StoreUnusable(
                "no store: set COLDPRESS_STORE, for example s3://my-bucket or file:///srv/coldpress"
            )
        self.url = url.rstrip("/")
        if url.partition("://")[0] not in SCHEMES:
            schemes = ", ".join(f"{scheme}://" for scheme in SCHEMES)
            raise StoreUnusable(f"cannot use the store {url!r}: it must start with one of {schemes}")
        self.folder = url.removeprefix("file://").rstrip("/") if url.startswith("file://") else None
        self._opened: ObjectStore | None = None
        self._reader = self._make_reader()
        if self._reader is None:
            self._opened = _open(self.url, self.folder)

    def _make_reader(self) -> "s3.Reader | None":
        if not self.url.startswith("s3://"):
            return None
        from coldpress import s3

        limits = s3.Limits(CONNECT_TIMEOUT_SECONDS, TIMEOUT_SECONDS, RETRY_SECONDS)
        return s3.reader_for(self.url, os.environ, limits)

    @property
    def _store(self) -> "ObjectStore":
        if self._opened is None:
            self._opened = _open(self.url, self.folder)
        return self._opened

    def reconnect(self) -> None:
        """Drops every open connection."""
        if self._reader is not None:
            self._reader.reconnect()
        if self._opened is not None:
            self._opened = _open(self.url, self.folder)

    # ------------------------------------------------------------------ reading
    def get(self, key: str) -> Blob:
        """The whole object. Raises `NotFound`."""
        read = self._read(key)
        if read is not None:
            return Blob(bytes(read.body), read.headers.get("etag", ""))
        from coldpress.objectstore import obstore, translated

        with translated(key):
            answer = obstore.get(self._store, key)
            return Blob(bytes(answer.bytes()), answer.meta["e_tag"] or "")

    def get_if_changed(self, key: str, etag: str) -> Blob | None:
        """The object, or None while its ETag is still `etag`. Raises `NotFound`."""
        read = self._read(key, {"if-none-match": etag})
        if read is not None:
            unchanged = read.status == 304
            return None if unchanged else Blob(bytes(read.body), read.headers.get("etag", ""))
        from obstore.exceptions import NotModifiedError

        from coldpress.objectstore import obstore, translated

        with translated(key):
            try:
                answer = obstore.get(self._store, key, options={"if_none_match": etag})
            except NotModifiedError:
                return None
            return Blob(bytes(answer.bytes()), answer.meta["e_tag"] or "")

    def _read(
        self, key: str, headers: dict[str, str] | None = None, into: memoryview | None = None
    ) -> "s3.Reply | None":
        """The answer of our own reader; None where obstore must be asked."""
        if self._reader is None:
            return None
        from coldpress import s3

        if not s3.plain_key(key):
            return None
        try:
            return self._reader.get(key, headers, into)
        except s3.Untrusted:
            self._reader = None
            return None

    def head(self, key: str) -> Info:
        """Size, ETag and age, without the bytes. Raises `NotFound`."""
        from coldpress.objectstore import obstore, translated

        with translated(key):
            return _info(obstore.head(self._store, key))

    def walk(self, prefix: str) -> Iterator[Info]:
        """Every object below `prefix`, in no particular order."""
        from coldpress.objectstore import obstore, translated

        with translated(prefix):
            for page in obstore.list(self._store, prefix.rstrip("/")):
                yield from map(_info, page)

    def folders(self, prefix: str) -> list[str]:
        """The names one level below `prefix`, as in a directory, sorted."""
        from coldpress.objectstore import obstore, translated

        with translated(prefix):
            found = obstore.list_with_delimiter(self._store, prefix.rstrip("/"))
        return sorted(path.rsplit("/", 1)[-1] for path in found["common_prefixes"])

    def fetch(self, key: str, size: int) -> mmap.mmap:
        """`size` bytes of an object in one page-aligned private buffer, read as parallel ranges.

        A file is mapped, not read. Raises `NotFound`, and `Internal` when the object is shorter.
        """
        if self.folder is not None:
            from coldpress.folder import mapped

            return mapped(self.folder, key, size)
        buffer = _memory(size)
        with memoryview(buffer) as view, view[:size] as part:
            self._fill(key, 0, part)
        return buffer

    def follow(self, key: str, size: int) -> "tuple[mmap.mmap, Following]":
        """As `fetch`, with the hash of the bytes, which is computed while they come in."""
        from coldpress.following import Following

        buffer = self.fetch(key, size) if self.folder is not None else _memory(size)
        view = memoryview(buffer)
        hashed = Following(size, PART_BYTES, lambda start, end: view[start:end])
        try:
            if self.folder is None:
                self._fill(key, 0, view[:size], hashed.arrived)
            else:
                for start in range(0, size, PART_BYTES):
                    hashed.arrived(start)
        except BaseException:
            hashed.abandon()
            raise
        return buffer, hashed

    def save(self, key: str, size: int, path: str) -> "Following":
        """`size` bytes of an object, written to a new file as they come in; their hash.

        Raises:
            NotFound: no such object.
            Internal: it is shorter, or the disk is full.
        """
        from coldpress.following import Following, reading

        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        hashed = None
        try:
            os.posix_fallocate(file, 0, size)
            hashed = Following(size, PART_BYTES, reading(file, size))
            self._write_parts(key, size, file, hashed.arrived)
        except BaseException as error:
            if hashed is not None:
                hashed.abandon()
            if isinstance(error, OSError):
                raise Internal(f"{size} bytes of {key} cannot be kept on the disk: {error}") from error
            raise
        finally:
            os.close(file)
        return hashed

    def _write_parts(self, key: str, size: int, file: int, arrived: Callable[[int], None]) -> None:
        rooms: list[memoryview] = []
        # A file takes one write at a time; threads that wait for that in the kernel burn the CPU meanwhile.
        writing = threading.Lock()

        def write(start: int) -> None:
            # Some buffers for all parts, one for each thread at most: new ones would be new memory each time.
            room = rooms.pop() if rooms else memoryview(bytearray(PART_BYTES))
            part = room[: min(PART_BYTES, size - start)]
            self._read_exactly(key, start, part, size)
            with writing:
                written = 0
                while written < len(part):
                    written += os.pwrite(file, part[written:], start + written)
            rooms.append(room)
            arrived(start)

        each(write, range(0, size, PART_BYTES), PARALLEL_PARTS)

    def download(self, key: str, path: str) -> None:
        """Writes an object to a file, block by block: it may be larger than the memory.

        Raises `NotFound`, and `Internal` when it got shorter meanwhile.
        """
        size = self.head(key).size
        buffer = bytearray(min(size, BLOCK_BYTES))
        with open(path, "wb") as file:  # noqa: PTH123
            for start in range(0, size, BLOCK_BYTES):
                view = memoryview(buffer)[: min(BLOCK_BYTES, size - start)]
                self._fill(key, start, view)
                file.write(view)

    def _fill(
        self, key: str, offset: int, view: memoryview, arrived: Callable[[int], None] | None = None
    ) -> None:
        """Reads into `view` from `offset` on, as parallel ranges; `arrived` is told where each begins."""

        def read(start: int) -> None:
            self._read_exactly(key, offset + start, view[start : start + PART_BYTES], offset + len(view))
            if arrived is not None:
                arrived(start)

        each(read, range(0, len(view), PART_BYTES), PARALLEL_PARTS)

    def _read_exactly(self, key: str, start: int, into: memoryview, size: int) -> None:
        if self._read_range(key, start, into) != len(into):
            raise Internal(f"{key} is shorter than its manifest says ({size} bytes)")

    def _read_range(self, key: str, start: int, into: memoryview) -> int:
        """Fills `into` from `start` on; the number of bytes that there were."""
        end = start + len(into)
        read = self._read(key, {"range": f"bytes={start}-{end - 1}"}, into)
        if read is not None:
            return len(read.body) if read.status == 206 else 0
        from coldpress.objectstore import obstore, translated

        with translated(key):
            part = obstore.get_range(self._store, key, start=start, end=end)
        if len(part) == len(into):
            into[:] = memoryview(part)
        return len(part)

    # ------------------------------------------------------------------ writing
    def create(self, key: str, data: bytes) -> str:
        """Writes an object that must not exist yet; its ETag. Raises `Conflict` when it does."""
        from coldpress.objectstore import obstore, translated

        with translated(key):
            return obstore.put(self._store, key, data, mode="create", use_multipart=False)["e_tag"] or ""

    def upload(self, key: str, path: str) -> None:
        """Streams a file on disk to an object, in parts when large.

        Not conditional: the caller must own `key` (a version claims its folder first).
        """
        from coldpress.objectstore import obstore, translated

        with translated(key), open(path, "rb") as file:  # noqa: PTH123
            obstore.put(self._store, key, file)

    def replace(self, key: str, data: bytes, etag: str) -> str:
        """Overwrites an object only while its ETag is `etag`; the new ETag.

        Raises `Conflict`; for an object that is gone `NotFound` or, on some stores, `Conflict` too.
        """
        from coldpress.objectstore import obstore, translated

        if not etag:
            # Stores read an empty condition as none, and would overwrite.
            raise Conflict(f"{key} cannot be replaced without the ETag it was read at")
        with translated(key):
            if self.folder is None:
                mode: Any = {"e_tag": etag}
                return obstore.put(self._store, key, data, mode=mode, use_multipart=False)["e_tag"] or ""
            from coldpress.folder import later, locked

            with locked(self.folder):
                if self.head(key).etag != etag:
                    raise Conflict(f"{key} was changed by somebody else; read it again")
                # Other writers wait for the lock meanwhile.
                with later(f"{self.folder}/{key}"):
                    obstore.put(self._store, key, data, use_multipart=False)
                return self.head(key).etag

    def overwrite(self, key: str, data: bytes) -> str:
        """Writes an object whole, whether it exists or not; its ETag. For records with one writer."""
        from coldpress.objectstore import obstore, translated

        with translated(key):
            return obstore.put(self._store, key, data, use_multipart=False)["e_tag"] or ""

    def delete(self, key: str) -> None:
        """Removes an object; no error when there is none."""
        from coldpress.objectstore import obstore, translated

        with translated(key):
            try:
                if self.folder is None:
                    obstore.delete(self._store, key)
                else:
                    from coldpress.folder import locked

                    with locked(self.folder):
                        obstore.delete(self._store, key)
            except FileNotFoundError:
                return
            except TypeError as error:  # obstore's other functions raise ValueError for the same keys
                raise InvalidRequest(f"{key!r} is no object key: {error}") from None

    def presign_put(self, key: str, seconds: int) -> str:
        """A URL that lets its holder PUT `key` for `seconds`.

        Raises `Unavailable` where the store cannot sign.
        """
        import datetime

        from coldpress.objectstore import obstore, translated

        if not self.url.startswith(SIGNING_SCHEMES):
            raise Unavailable(f"a {self.url.partition(':')[0]}:// store has no signed URLs of its own")
        with translated(key):
            signing_store: Any = self._store
            return obstore.sign(signing_store, "PUT", key, datetime.timedelta(seconds=seconds))


def _memory(size: int) -> mmap.mmap:
    """Private memory for an object. Large pages are there in a quarter of the time of small ones."""
    buffer = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if size >= HUGE_BYTES:
        try:
            buffer.madvise(mmap.MADV_HUGEPAGE)
        except OSError:  # a kernel without them
            return buffer
    return buffer


def _open(url: str, folder: str | None) -> "ObjectStore":
    from coldpress import objectstore

    try:
        return objectstore.opened(url, folder, CONNECT_TIMEOUT_SECONDS, TIMEOUT_SECONDS, RETRY_SECONDS)
    except Exception as error:
        raise StoreUnusable(f"cannot use the store {url!r}: {objectstore.reason(error)}") from error


def _info(meta: Any) -> Info:
    return Info(meta["path"], meta["size"], meta["e_tag"] or "", meta["last_modified"].timestamp())
