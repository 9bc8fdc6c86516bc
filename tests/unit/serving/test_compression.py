"""`Content-Encoding`, both ways."""

import gzip
import os
import tracemalloc
import zlib

import pytest

from coldpress.compression import UnknownEncoding, choose, compress, decompress
from coldpress.errors import InvalidRequest, TooLarge, status_of

BODY = b'{"inputs": []}' * 100
PACKED = {"gzip": gzip.compress(BODY), "deflate": zlib.compress(BODY)}


@pytest.mark.parametrize("encoding", PACKED)
def test_bodies_of_the_standard_library(encoding: str) -> None:
    assert decompress(PACKED[encoding], encoding, len(BODY)) == BODY
    assert decompress(PACKED[encoding], f" {encoding.upper()} ", len(BODY)) == BODY
    unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress}[encoding]
    assert unpack(compress(BODY, encoding)) == BODY


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_no_encoding(encoding: str) -> None:
    assert decompress(BODY, encoding, 1) == BODY


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x"])
def test_unknown_encodings_say_which_are_known(encoding: str) -> None:
    with pytest.raises(UnknownEncoding) as caught:
        decompress(BODY, encoding, len(BODY))
    assert str(caught.value) == f"Content-Encoding {encoding!r} is not read here; use gzip, deflate"
    assert status_of(caught.value) == 400
    assert caught.value.headers == {"accept-encoding": "gzip, deflate"}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("limit", [0, 1, len(BODY) - 1])
def test_the_limit_is_on_what_comes_out(encoding: str, limit: int) -> None:
    with pytest.raises(TooLarge) as caught:
        decompress(PACKED[encoding], encoding, limit)
    assert str(caught.value) == f"the decompressed body has more than {limit} bytes, which is the limit"


def test_a_bomb_never_fills_the_memory() -> None:
    bomb = zlib.compress(bytes(200 << 20), 9)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decompress(bomb, "deflate", 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", PACKED)
def test_damaged_bodies(encoding: str) -> None:
    packed = PACKED[encoding]
    wrong_sum = packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:]
    for damaged in (b"", packed[:-1], packed[:10], packed + b"x", packed + packed, BODY, wrong_sum):
        with pytest.raises(InvalidRequest):
            decompress(damaged, encoding, len(BODY) * 2)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("gzip;q=0.5, deflate", "deflate"),
        ("GZIP ; Q=1", "gzip"),
        ("br", ""),
        ("identity", ""),
        ("*", ""),
        ("gzip;q=0", ""),
        ("gzip;q=0, deflate;q=0.1", "deflate"),
        ("gzip;q=x", ""),
        ("gzip;q=nan", ""),
        ("", ""),
        (",;=,", ""),
    ],
)
def test_the_encoding_of_an_answer(accept: str, chosen: str) -> None:
    assert choose(accept) == chosen


@pytest.mark.parametrize("encoding", PACKED)
def test_noise_survives(encoding: str) -> None:
    noise = os.urandom(5000)
    assert decompress(compress(noise, encoding), encoding, 5000) == noise
