"""JSON values <-> a tensor's data, the same for every JSON protocol."""

import json
import struct
from array import array

from coldpress.errors import InvalidRequest, TooLarge, Unprocessable
from coldpress.gateway import MAX_ANSWER_BYTES
from coldpress.large import LIST_VALUES, large_list, loads
from coldpress.protocols.nesting import nest
from coldpress.registry import Manifest
from coldpress.settings import Settings
from coldpress.tensors import DATATYPES, Datatype, Tensor, element_count
from coldpress.typed import Any

MAX_JSON_VALUES = MAX_ANSWER_BYTES // 2
"""A value and its comma are two bytes: more values can never be answered as JSON, and need not be tried."""

_NUMBERS = frozenset({int, float})
_WHOLE = frozenset({int})
# Bytes never come from JSON itself but from a protocol's own form of them, such as {"b64": …}.
_TEXT = frozenset({str, bytes})

quoted = json.encoder.encode_basestring
"""A text as JSON."""
# Made once: json.dumps makes one for each call. No white space, for the sake of the answer's limit.
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_encode_strictly = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


def parse(body: bytes, *, exact: bool = False) -> Any:
    """JSON, with bare NaN and Infinity as clients send them. Raises `InvalidRequest`.

    `exact`: whole numbers beyond 64 bits stay whole, in a large body too.
    """
    try:
        return json.loads(body) if exact else loads(body)
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deeply") from None
    except ValueError as error:
        raise InvalidRequest(f"the body is no JSON: {error}") from None


def in_utf8(text: str) -> bytes:
    """JSON's bytes. Half a surrogate pair, in a request's id for one, is echoed as it came: escaped."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def to_json(value: Any, *, allow_nan: bool = True) -> bytes:
    """JSON in UTF-8; NaN and infinity as bare tokens. Raises `ValueError` for those unless `allow_nan`."""
    return in_utf8((_encode if allow_nan else _encode_strictly)(value))


def datatype_of(name: str, datatype: str) -> Datatype:
    """The table's row. Raises `InvalidRequest` for a datatype that is none."""
    known = DATATYPES.get(datatype)
    if known is None:
        raise InvalidRequest(
            f"input {name!r}: {datatype!r:.40} is no datatype; the datatypes are {', '.join(DATATYPES)}"
        )
    return known


def count_of(name: str, shape: list[int], settings: Settings) -> int:
    """How many elements a shape has. Raises `TooLarge`."""
    count = 1
    for length in shape:
        count *= length
        # Inside the loop: the product of a hostile shape may have millions of digits.
        if count > settings.max_elements:
            raise TooLarge(
                f"input {name!r}: shape {shape!r:.80} has more than {settings.max_elements} elements, "
                "which is the limit; send fewer at a time"
            )
    return count


def refuse_rows(tensors: list[Tensor], manifest: Manifest, settings: Settings) -> None:
    """Raises `TooLarge` for an input whose variable first dimension holds more rows than the limit.

    Numbers in a row of their own (an audio track, the bytes of a file) are one thing, of any length.
    """
    most = settings.max_rows
    for tensor in tensors:
        shape = tensor.shape
        if shape and shape[0] > most and (len(shape) > 1 or tensor.datatype == "BYTES"):
            declared = next((info.shape for info in manifest.inputs if info.name == tensor.name), ())
            if declared[:1] == (-1,):
                raise TooLarge(
                    f"input {tensor.name!r} has {shape[0]} rows, the limit is {most}; send fewer at a time"
                )


def pack(name: str, datatype: str, shape: list[int], values: list[Any], settings: Settings) -> Tensor:
    """A tensor of JSON values.

    Raises:
        InvalidRequest: an unknown datatype, values of another kind or out of range, or not as many
            as the shape needs.
        TooLarge: too many elements, or a string that is too long.
    """
    known = datatype_of(name, datatype)
    count = count_of(name, shape, settings)
    if len(values) != count:
        raise InvalidRequest(
            f"input {name!r}: shape {shape!r:.80} needs {count} values, data has {len(values)}"
        )
    if known.name == "BYTES":
        return Tensor(name, datatype, shape, _strings(name, values, settings))
    return Tensor(name, datatype, shape, _numbers(name, known, values))


def _numbers(name: str, known: Datatype, values: list[Any]) -> "array[Any] | bytes":
    datatype = known.name
    if datatype == "BOOL":
        _refuse_others(name, "BOOL takes true or false", values, frozenset({bool}))
        return bytes(values)
    if datatype == "BF16":
        raise InvalidRequest(f"input {name!r}: BF16 has no JSON form; send it as binary tensor data")
    floating = datatype.startswith("FP")
    takes = f"{datatype} takes {'numbers' if floating else 'whole numbers'}"
    _refuse_others(name, takes, values, _NUMBERS if floating else _WHOLE)
    try:
        if floating and known.size < 8:
            # `array` would make infinity of what is too large for FP32; `struct` says so, and knows FP16.
            return struct.pack(f"<{len(values)}{'f' if known.size == 4 else 'e'}", *values)
        return array(known.typecode, values)
    except (OverflowError, struct.error) as error:
        raise InvalidRequest(f"input {name!r}: a value does not fit {datatype}: {error}") from None


def _strings(name: str, values: list[Any], settings: Settings) -> list[bytes]:
    _refuse_others(name, "BYTES takes text", values, _TEXT)
    try:
        elements = [value if isinstance(value, bytes) else value.encode() for value in values]
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"input {name!r}: {error.object!r:.60} holds half a surrogate pair, which is no text"
        ) from None
    check_lengths(name, elements, settings)
    return elements


def check_lengths(name: str, elements: list[bytes], settings: Settings) -> None:
    """Raises `TooLarge` when a string is over the limit."""
    longest = max(map(len, elements), default=0)
    if longest > settings.max_string_bytes:
        raise TooLarge(
            f"input {name!r} has a string of {longest} bytes, the limit is {settings.max_string_bytes}"
        )


def _refuse_others(name: str, takes: str, values: list[Any], good: frozenset[type]) -> None:
    if not good.issuperset(map(type, values)):
        wrong = next(value for value in values if type(value) not in good)
        raise InvalidRequest(f"input {name!r}: {takes}, data has {wrong!r:.60}")


def is_keys(name: str, manifest: Manifest) -> bool:
    """Whether an output is the keys of another one (see `ort.containers`): the same ones for all rows."""
    return name.endswith(".keys") and any(info.name == name[:-5] for info in manifest.outputs)


def values_in_json(tensor: Tensor) -> str:
    """`json_values` as JSON text; NaN and infinity as bare tokens."""
    values = json_values(tensor)
    if tensor.datatype in ("BYTES", "BOOL"):
        return _encode(values)
    return (large_list(values) if len(values) in LIST_VALUES else "") or numbers_in_json(values)


def numbers_in_json(values: list[Any]) -> str:
    """Numbers as a JSON list; NaN and infinity as bare tokens."""
    text = repr(values).replace(" ", "")
    return _encode(values) if "n" in text else text  # nan, inf


def json_values(tensor: Tensor) -> list[Any]:
    """A tensor's values, flat and row-major, as JSON has them.

    Raises:
        TooLarge: more than any answer can hold.
        Unprocessable: bytes that are no UTF-8.
    """
    if not isinstance(tensor.data, list):
        if memoryview(tensor.data).nbytes > MAX_JSON_VALUES:
            refuse_unanswerable(tensor.name, element_count(tensor.shape))
        return numbers_of(tensor)
    refuse_unanswerable(tensor.name, len(tensor.data))
    try:
        return [value.decode() for value in tensor.data]
    except UnicodeDecodeError:
        raise Unprocessable(
            f"output {tensor.name!r} holds bytes that are no UTF-8; ask for it as binary tensor data"
        ) from None


def numbers_of(tensor: Tensor) -> list[Any]:
    """The values of a tensor of any datatype but BYTES, flat and row-major."""
    row, view = DATATYPES[tensor.datatype], memoryview(tensor.data)  # type: ignore[arg-type]
    if view.format != "B":
        view = view.cast("B")
    if row.name == "BOOL":
        return view.cast("?").tolist()
    if row.typecode:
        return view.cast(row.typecode).tolist()  # type: ignore[call-overload,no-any-return]
    if row.name == "FP16":
        return list(struct.unpack(f"<{len(view) // 2}e", view))
    # BF16 is the upper half of an FP32.
    widened = bytearray(len(view) * 2)
    widened[2::4], widened[3::4] = view[0::2], view[1::2]
    return memoryview(widened).cast("f").tolist()


def nested_values(tensor: Tensor) -> Any:
    """`json_values` as nested lists of the tensor's shape; a 0-d tensor gives the bare value."""
    # Empty lists take room too.
    refuse_unanswerable(tensor.name, element_count(length or 1 for length in tensor.shape))
    return nest(json_values(tensor), tensor.shape)


def refuse_unanswerable(name: str, count: int) -> None:
    """Raises `TooLarge` for more values than any JSON answer can hold."""
    if count > MAX_JSON_VALUES:
        raise TooLarge(
            f"output {name!r} has {count} values, and a JSON answer holds at most {MAX_JSON_VALUES}: "
            "ask for fewer rows at a time, or for binary tensor data"
        )
