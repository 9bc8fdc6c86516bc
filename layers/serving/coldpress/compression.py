"""`Content-Encoding` of requests and answers: gzip and deflate, never more than the limit in memory."""

import zlib

from coldpress.errors import InvalidRequest, TooLarge

ENCODINGS = "gzip, deflate"
_WBITS = {"gzip": 31, "deflate": 15}
# The fastest level: an answer's tensors compress little at any level, and the caller waits.
_LEVEL = 1


class UnknownEncoding(InvalidRequest):
    """A request's `Content-Encoding` is none of ours."""

    headers = {"accept-encoding": ENCODINGS}  # noqa: RUF012 - a constant


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its `Content-Encoding`.

    Raises:
        UnknownEncoding: neither gzip, deflate nor identity.
        InvalidRequest: not what the encoding says, or cut short.
        TooLarge: more than `limit` bytes come out; no more than that are ever held.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in _WBITS:
        raise UnknownEncoding(f"Content-Encoding {encoding!r:.40} is not read here; use {ENCODINGS}")
    inflate = zlib.decompressobj(_WBITS[encoding])
    try:
        plain = inflate.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the body is no {encoding}: {error}") from None
    if len(plain) > limit:
        raise TooLarge(f"the decompressed body has more than {limit} bytes, which is the limit")
    if not inflate.eof or inflate.unused_data:
        raise InvalidRequest(f"the {encoding} body is cut short or has bytes behind its end")
    return plain


def choose(accept: str) -> str:
    """The encoding for an answer, from `Accept-Encoding`: gzip, deflate or empty for none."""
    offers: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, _, parameter = part.strip().partition(";")
        key, _, value = parameter.strip().partition("=")
        try:
            offers[name.strip()] = float(value) if key == "q" else 1.0
        except ValueError:
            offers[name.strip()] = 0.0
    wanted = {name: offers.get(name, 0.0) for name in _WBITS}
    best = max(wanted, key=lambda name: wanted[name])
    return best if wanted[best] > 0 else ""


def compress(body: bytes, encoding: str) -> bytes:
    """The body in one of our encodings."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WBITS[encoding])
    return deflate.compress(body) + deflate.flush()
