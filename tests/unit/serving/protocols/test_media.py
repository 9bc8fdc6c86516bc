"""CSV, .npy and raw bodies."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldpress.errors import ColdpressError, InvalidRequest, TooLarge
from coldpress.protocols import plain
from coldpress.protocols.inference import Inference
from coldpress.registry import Manifest, TensorInfo
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor

ROUTE = Route("plain", "predict", "m")


@pytest.fixture
def decode(manifest, request_of):
    def run(kind: str, body: bytes, *inputs: Any, **settings: Any) -> Inference:
        request = request_of(body, content_type=kind)
        return plain.decode(request, ROUTE, manifest(inputs), Settings(**settings))

    return run


# ------------------------------------------------------------------------------ raw
@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "audio/wav", "application/octet-stream"])
@pytest.mark.parametrize(
    ("info", "tensor", "rows"),
    [
        (("t", "BYTES", (-1,)), Tensor("t", "BYTES", (1,), [b"\xff\0"]), 1),
        (("t", "BYTES", ()), Tensor("t", "BYTES", (), [b"\xff\0"]), None),
        (("b", "UINT8", (-1,)), Tensor("b", "UINT8", (2,), b"\xff\0"), None),
        (("b", "UINT8", (1, -1)), Tensor("b", "UINT8", (1, 2), b"\xff\0"), 1),
    ],
)
def test_a_model_that_decodes_gets_the_bytes(decode, kind: str, info: Any, tensor: Tensor, rows: Any) -> None:
    assert decode(kind, b"\xff\0", info) == Inference([tensor], None, rows)


def test_a_file_is_no_batch_of_bytes(decode) -> None:
    assert decode("image/png", bytes(10_000), ("b", "UINT8", (-1,))).form is None


@pytest.mark.parametrize(
    "info",
    [
        ("x", "FP32", (-1, 3, 224, 224)),
        ("x", "UINT8", (-1, -1)),
        ("x", "UINT8", (1, 1)),
        ("x", "BYTES", (2,)),
    ],
)
def test_a_model_that_does_not(decode, info: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode("image/png", b"abc", info)
    assert str(caught.value) == (
        f"the model takes {info[1]} of shape {list(info[2])}, not the bytes of image/png: "
        "put the decoder into its graph, or send the numbers as JSON or application/x-npy"
    )


def test_raw_bodies_over_the_limits(decode) -> None:
    with pytest.raises(TooLarge):
        decode("image/png", b"abc", ("b", "UINT8", (-1,)), max_elements=2)
    with pytest.raises(TooLarge):
        decode("image/png", b"abc", ("b", "BYTES", (-1,)), max_string_bytes=2)


# ------------------------------------------------------------------------------ CSV
FEATURES = ("x", "FP32", (-1, 2))
NAMED = (("age", "INT64", (-1,)), ("name", "BYTES", (-1,)), ("vip", "BOOL", (-1,)))


def test_rows_of_cells(decode) -> None:
    inference = decode("text/csv", b"1,2.5\r\n\r\n -3 ,1e2\r\n", FEATURES)
    assert inference == Inference([Tensor("x", "FP32", (2, 2), struct.pack("<4f", 1, 2.5, -3, 100))], None, 2)


def test_missing_numbers(decode) -> None:
    for body in (b"1,\n NA ,2\n", b"1,nan\nnull,2\n"):
        data = memoryview(decode("text/csv", body, FEATURES).tensors[0].data).cast("B").cast("f")
        assert [str(value) for value in data] == ["1.0", "nan", "nan", "2.0"]
    for body, what in ((b",a,1\n", "'' is no INT64"), (b"1,a,\n", "'' is no BOOL")):
        with pytest.raises(InvalidRequest, match=what):
            decode("text/csv", b"age,name,vip\n" + body, *NAMED)


def test_columns_by_name_in_any_order(decode) -> None:
    body = '\ufeffname,vip,age\n"Ann, ""A""",TRUE,7\nß,0,-8\n'.encode()
    assert decode("text/csv; charset=utf-8", body, *NAMED).tensors == [
        Tensor("age", "INT64", (2,), struct.pack("<2q", 7, -8)),
        Tensor("name", "BYTES", (2,), [b'Ann, "A"', "ß".encode()]),
        Tensor("vip", "BOOL", (2,), b"\1\0"),
    ]


def test_one_cell_a_line(decode) -> None:
    tensor = Tensor("t", "BYTES", (2,), [b"good", b"bad\nnews"])
    assert decode("text/csv", b'good\n"bad\nnews"\n', ("t", "BYTES", (-1,))).tensors == [tensor]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"age,name,vip\n1,a\n", "CSV row 1 has 2 cells, the header has 3"),
        (b"age,name,vip\n1,a,1\nx,a,1\n", "CSV row 2: 'x' is no INT64 for 'age'"),
        (b"age,name,vip\n1_0,a,1\n", "CSV row 1: '1_0' is no INT64 for 'age'"),
        (b"age,name,vip\n1.0,a,1\n", "CSV row 1: '1.0' is no INT64 for 'age'"),
        (b"age,name,vip\n1,a,yes\n", "CSV row 1: 'yes' is no BOOL for 'vip'"),
        (b"age,name,vip\n", "there is no row in the body; send at least one"),
        (b"age,name\n1,a\n", "the CSV header lacks the input 'vip' of m"),
        (
            b"age,name,vip,city\n1,a,1,b\n",
            "the CSV header has 'city', and m has no such input; it has age, name, vip",
        ),
        (b"age,name,vip,age\n1,a,1,2\n", "the CSV header has 'age' more than once"),
        (b"1,a,1\n", "m has several inputs; the CSV needs a first line that names them: age, name, vip"),
        (b"", "there is no row in the body; send at least one"),
        (b'age,"name', "the body is no CSV in UTF-8: "),
        (b"age,\xff", "the body is no CSV in UTF-8: "),
    ],
)
def test_csv_refused(decode, body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode("text/csv", body, *NAMED)
    assert str(caught.value).startswith(message)


def test_long_cells(decode) -> None:
    long = b"a" * 200_000
    text = ("t", "BYTES", (-1,))
    assert decode("text/csv", long, text).tensors == [Tensor("t", "BYTES", (1,), [long])]
    with pytest.raises(TooLarge, match="a string of 200000 bytes, the limit is 9"):
        decode("text/csv", long, text, max_string_bytes=9)


def test_lines_of_different_length(decode) -> None:
    with pytest.raises(InvalidRequest, match="ragged"):
        decode("text/csv", b"1,2\n3\n", FEATURES)


# ------------------------------------------------------------------------------ .npy
def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **options)
    return file.getvalue()


TYPES = {
    "BOOL": "?", "INT8": "i1", "INT16": "i2", "INT32": "i4", "INT64": "i8", "UINT8": "u1", "UINT16": "u2",
    "UINT32": "u4", "UINT64": "u8", "FP16": "f2", "FP32": "f4", "FP64": "f8",
}  # fmt: skip


@pytest.mark.parametrize("datatype", TYPES)
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy(decode, datatype: str, version: tuple[int, int]) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]], TYPES[datatype])
    inference = decode("application/x-npy", npy(array, version=version), ("x", datatype, (-1, 3)))
    assert inference == Inference([Tensor("x", datatype, (2, 3), array.tobytes())], None, 2)


def test_npy_of_a_scalar_and_of_nothing(decode) -> None:
    assert decode("application/x-npy", npy(np.int8(5)), ("x", "INT8", ())).tensors == [
        Tensor("x", "INT8", (), b"\5")
    ]
    assert decode("application/x-npy", npy(np.zeros((0, 3), "f4")), ("x", "FP32", (-1, 3))).form == 0


@pytest.mark.parametrize(
    ("made", "taken"), [("f8", "FP32"), ("f4", "FP16"), ("f2", "FP64"), ("i8", "UINT8"), ("u1", "INT64")]
)
def test_numpys_default_types_become_the_models(decode, made: str, taken: str) -> None:
    array = np.array([0, 1, 127], made)
    tensor = decode("application/x-npy", npy(array), ("x", taken, (-1,))).tensors[0]
    assert tensor == Tensor("x", taken, (3,), array.astype(TYPES[taken]).tobytes())


def header(text: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode() + data


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is no .npy file"),
        (b"\x93NUMPY\x01\0", "the body is no .npy file"),
        (npy(np.zeros(3, "f4"))[:-1], "input 'x': FP32 of shape [3] needs 12 bytes, but 11 came"),
        (npy(np.zeros(3, "f4")) + b"x", "input 'x': FP32 of shape [3] needs 12 bytes, but 13 came"),
        (npy(np.zeros(3, "i4")), "input 'x' takes FP32, the .npy holds INT32"),
        (npy(np.array([1e300])), "input 'x': a value does not fit FP32: "),
        (npy(np.zeros(3, ">f4")), "a .npy of '>f4' is not read here; send C order and one of |b1, "),
        (npy(np.zeros(3, "c8")), "a .npy of '<c8' is not read here; "),
        (npy(np.asfortranarray(np.zeros((2, 2), "f4"))), "a .npy of '<f4' is not read here; send C order"),
        (
            header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"),
            "a .npy of [('a', '<f4')] is",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"),
            "the .npy header has the shape [-1]; ",
        ),
        (
            header("{'descr': '<f4', 'fortran_order': False, 'shape': (1e999,)}"),
            "the .npy header has the shape [inf]",
        ),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': 4}"), "the .npy header cannot be read: "),
        (header("{}"), "the .npy header cannot be read: 'descr'"),
        (header("[" * 9000), "the .npy header cannot be read: "),
        (header("-" * 9000 + "1"), "the .npy header cannot be read: "),
        (header("__import__('os')"), "the .npy header cannot be read: "),
        (header(" " * 10_001), "the .npy header has 10001 bytes, the limit is 10000"),
    ],
)
def test_npy_refused(decode, body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode("application/x-npy", body, ("x", "FP32", (-1,)))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("shape", ["(1000000000000, 0)", "(99999999, 99999999)"])
def test_an_absurd_npy(decode, shape: str) -> None:
    body = header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}")
    with pytest.raises(TooLarge):
        decode("application/x-npy", body, ("x", "FP32", (-1, -1)))


def test_rows_of_a_npy_are_counted(decode) -> None:
    with pytest.raises(TooLarge, match="the body has 5 rows, the limit is 4"):
        decode("application/x-npy", npy(np.zeros((5, 0), "f4")), ("x", "FP32", (-1, -1)), max_rows=4)


MANIFEST = Manifest("m", 1, "", (), (TensorInfo("x", "FP32", (-1, -1)),), (), "")


@given(
    st.text(max_size=200) | st.from_regex(r"\{'descr': .{0,10}, 'fortran_order': .{0,9}, 'shape': .{0,20}\}")
)
def test_any_npy_header_is_read_or_refused(text: str) -> None:
    from coldpress.gateway import Request

    request = Request("POST", "/", {"content-type": "application/x-npy"}, header(text, bytes(8)), "")
    try:
        plain.decode(request, ROUTE, MANIFEST, Settings())
    except ColdpressError as error:
        assert str(error)  # noqa: PT017 - either way is fine, but nothing else
