"""JSON values <-> a tensor's data, the same for every JSON protocol."""

import json
import struct
from array import array
from typing import Any

from coldpress.errors import InvalidRequest, TooLarge, Unprocessable
from coldpress.tensors import DATATYPES, Tensor

_NUMBERS = frozenset({int, float})
# Bytes never come from JSON itself but from a protocol's own form of them, such as {"b64": …}.
_TEXT = frozenset({str, bytes})


def parse(body: bytes) -> Any:
    """JSON, with bare NaN and Infinity as clients send them. Raises `InvalidRequest`."""
    try:
        return json.loads(body)
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deeply") from None
    except ValueError as error:
        raise InvalidRequest(f"the body is no JSON: {error}") from None


def flat_of(data: Any, name: str, max_depth: int) -> list[Any]:
    """Row-major values of flat or nested lists; a bare value is a list of one.

    Raises:
        InvalidRequest: nested deeper than `max_depth`, or lists and values side by side.
    """
    if not isinstance(data, list):
        return [data]
    values: list[Any] = data
    for _ in range(max_depth):
        if not values or not any(isinstance(item, list) for item in values):
            return values
        if not all(isinstance(item, list) for item in values):
            raise InvalidRequest(f"input {name!r}: data mixes lists and values on one level")
        values = [value for item in values for value in item]
    raise InvalidRequest(f"input {name!r}: data is nested deeper than {max_depth} levels")


def pack(name: str, datatype: str, shape: list[int], values: list[Any], max_elements: int) -> Tensor:
    """A tensor of JSON values.

    Raises:
        InvalidRequest: an unknown datatype, values of another kind or out of range, or not as many
            as the shape needs.
        TooLarge: more than `max_elements`.
    """
    known = DATATYPES.get(datatype)
    if known is None:
        raise InvalidRequest(
            f"input {name!r}: {datatype!r:.40} is no datatype; the datatypes are {', '.join(DATATYPES)}"
        )
    count = 1
    for length in shape:
        count *= length
        if count > max_elements:
            raise TooLarge(f"input {name!r}: shape {shape} has more than {max_elements} elements")
    if len(values) != count:
        raise InvalidRequest(f"input {name!r}: shape {shape} needs {count} values, data has {len(values)}")
    return Tensor(name, datatype, tuple(shape), _data(name, datatype, known.typecode, values))


def _data(name: str, datatype: str, typecode: str, values: list[Any]) -> Any:
    kinds = set(map(type, values))
    if datatype == "BYTES":
        _refuse_others(name, "BYTES takes text", values, kinds, _TEXT)
        return [value if isinstance(value, bytes) else _utf8(name, value) for value in values]
    if datatype == "BOOL":
        _refuse_others(name, "BOOL takes true or false", values, kinds, frozenset({bool}))
        return bytes(values)
    if datatype == "BF16":
        raise InvalidRequest(f"input {name!r}: BF16 has no JSON form; send it as binary tensor data")
    floating = datatype.startswith("FP")
    takes = f"{datatype} takes {'numbers' if floating else 'whole numbers'}"
    _refuse_others(name, takes, values, kinds, _NUMBERS if floating else frozenset({int}))
    try:
        return array(typecode, values) if typecode else struct.pack(f"<{len(values)}e", *values)
    except (OverflowError, struct.error) as error:
        raise InvalidRequest(f"input {name!r}: a value does not fit {datatype}: {error}") from None


def _utf8(name: str, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(
            f"input {name!r}: {value!r:.60} holds half a surrogate pair, which is no text"
        ) from None


def _refuse_others(name: str, takes: str, values: list[Any], kinds: set[type], good: frozenset[type]) -> None:
    if not kinds <= good:
        wrong = next(value for value in values if type(value) not in good)
        raise InvalidRequest(f"input {name!r}: {takes}, data has {wrong!r:.60}")


def json_values(tensor: Tensor) -> list[Any]:
    """A tensor's values, flat and row-major, as JSON has them.

    Raises:
        Unprocessable: bytes that are no UTF-8.
    """
    if isinstance(tensor.data, list):
        try:
            return [value.decode() for value in tensor.data]
        except UnicodeDecodeError:
            raise Unprocessable(
                f"output {tensor.name!r} holds bytes that are no UTF-8; ask for it as binary tensor data"
            ) from None
    view = memoryview(tensor.data).cast("B")
    if tensor.datatype == "BOOL":
        return [value != 0 for value in view]
    typecode = DATATYPES[tensor.datatype].typecode
    if typecode:
        return view.cast(typecode).tolist()  # type: ignore[call-overload,no-any-return]
    if tensor.datatype == "FP16":
        return list(struct.unpack(f"<{len(view) // 2}e", view))
    # BF16 is the upper half of an FP32.
    widened = bytearray(len(view) * 2)
    widened[2::4], widened[3::4] = view[0::2], view[1::2]
    return memoryview(widened).cast("f").tolist()
