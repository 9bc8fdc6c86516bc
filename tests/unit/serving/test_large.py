"""Large bodies: the quick libraries must answer exactly what the standard library does."""

import base64
import json
import math
import random
import struct
import sys
from binascii import a2b_base64
from collections.abc import Callable
from functools import partial

import orjson
import pybase64
import pytest

from coldpress import large

JSON_FILLING = " " * large.JSON_BYTES
# Without padding, so that more may follow.
BASE64_FILLING = base64.b64encode(bytes(large.BASE64_BYTES // 3 * 3)).decode()


def large_json(text: str) -> bytes:
    return (JSON_FILLING + text).encode("utf-8", "surrogatepass")


def test_numbers_are_the_same_doubles() -> None:
    chance = random.Random(7)  # noqa: S311 - the same numbers in every run
    doubles = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(20_000)]
    numbers = [repr(double) for double in doubles if math.isfinite(double)]
    numbers += [f"{chance.uniform(-1, 1):.{chance.randint(0, 25)}e}" for _ in range(20_000)]
    numbers += ["0", "-0", "-0.0", "1e-400", "5e-324", "9223372036854775807", "-9223372036854775808"]
    text = f"[{','.join(numbers)}]"
    found, expected = large.loads(large_json(text)), json.loads(text)
    assert list(map(repr, found)) == list(map(repr, expected))


@pytest.mark.parametrize(
    "text",
    [
        "[NaN, Infinity, -Infinity]",
        "1e999",
        '"\\ud800"',
        '{"a": 1, "a": 2}',
        '"gr\u00f6\u00dfe \\u0000 \\n"',
        "[[[]]]",
        "true",
    ],
)
def test_what_the_standard_library_takes_is_taken(text: str) -> None:
    assert repr(large.loads(large_json(text))) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["", "[1,]", "01", "1.", "{'a': 1}", '"', "tru", "[1] x", "\ud800"])
def test_what_it_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the standard library's
        json.loads(text)
    with pytest.raises(ValueError):  # noqa: PT011
        large.loads(large_json(text))


def test_deep_nesting_ends_as_the_standard_librarys() -> None:
    with pytest.raises(RecursionError):
        large.loads(large_json("[" * 100_000 + "]" * 100_000))


@pytest.mark.parametrize("size", [0, 1, 2, 3, large.BASE64_BYTES, large.BASE64_BYTES + 1, 300_001])
def test_base64_there_and_back(size: int) -> None:
    data = random.Random(size).randbytes(size)  # noqa: S311
    text = large.encode_base64(data)
    assert text == base64.b64encode(data).decode()
    assert large.decode_base64(text) == data


@pytest.mark.parametrize(
    "end", ["a", "YQ", "YQ=", "YQ==YQ==", "YQ==\n", "Y Q==", "=YQ=", "====", "-_==", "\u00e4", "YQ==\0"]
)
def test_base64_is_taken_and_refused_as_the_standard_library_does(end: str) -> None:
    for text in (end, BASE64_FILLING + end):
        assert outcome(large.decode_base64, text) == outcome(partial(a2b_base64, strict_mode=True), text)


def outcome(decode: Callable[[str], bytes], text: str) -> bytes | str:
    try:
        return decode(text)
    except ValueError:
        return "refused"


def test_large_bodies_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    monkeypatch.setattr(orjson, "loads", lambda _: used.append("json"))
    monkeypatch.setattr(pybase64, "b64decode", lambda *_, **__: used.append("decode"))
    monkeypatch.setattr(pybase64, "b64encode_as_string", lambda _: used.append("encode"))
    large.loads(b"1")
    large.decode_base64("YQ==")
    large.encode_base64(b"a")
    assert used == []
    large.loads(large_json("1"))
    large.decode_base64(BASE64_FILLING)
    large.encode_base64(bytes(large.BASE64_BYTES))
    assert used == ["json", "decode", "encode"]


def test_all_works_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orjson", None)
    monkeypatch.setitem(sys.modules, "pybase64", None)
    data = bytes(large.BASE64_BYTES)
    assert large.loads(large_json("[1.5]")) == [1.5]
    assert large.decode_base64(large.encode_base64(data)) == data


def test_lists_of_numbers_are_the_same_numbers() -> None:
    chance = random.Random(9)  # noqa: S311 - the same numbers in every run
    doubles = [struct.unpack("<d", chance.randbytes(8))[0] for _ in range(5000)]
    floats = [double for double in doubles if math.isfinite(double)]
    floats += [0.0, -0.0, 1e16, 1e-5, 5e-324, 1.7976931348623157e308]
    whole = [0, -1, 2**63 - 1, -(2**63), 2**64 - 1]
    for numbers in (floats, whole * 100):
        text = large.large_list(numbers)
        assert list(map(repr, json.loads(text))) == list(map(repr, numbers))
        assert not set(text) & set(" \n")


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_list_with_a_number_that_json_has_no_word_for_is_left_to_others(odd: float) -> None:
    assert large.large_list([0.5] * 300 + [odd]) == ""


def test_nothing_is_imported_for_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "orjson")
    assert large.large_list([0.5] * 300) == ""
    assert "orjson" not in sys.modules


@pytest.mark.parametrize(
    "text", ["{}", " {}", "{} ", "[NaN]", '"\u00e4"', "1", "\ufeff{}", "[1,]", "", "{} x"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-be"])
def test_small_bodies_are_read_as_the_standard_library_does(text: str, encoding: str) -> None:
    def outcome_of(read: Callable[[bytes], object]) -> str:
        try:
            return repr(read(text.encode(encoding)))
        except ValueError as error:
            return f"{type(error).__name__}: {error}"

    assert outcome_of(large.small) == outcome_of(json.loads)
