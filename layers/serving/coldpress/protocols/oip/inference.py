"""Inference requests and answers: a JSON part, and binary tensors behind it where asked for."""

from coldpress.errors import InvalidRequest, TooLarge, Unprocessable, Unsupported
from coldpress.gateway import MAX_ANSWER_BYTES, Request, Response
from coldpress.protocols.inference import Inference
from coldpress.protocols.nesting import flat_of
from coldpress.protocols.values import in_utf8, pack, parse, quoted, refuse_rows, values_in_json
from coldpress.registry import Manifest
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor
from coldpress.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from coldpress.protocols.oip.binary import Reader

LENGTH_HEADER = "inference-header-content-length"
NO_INPUTS = '"inputs" must be a list of tensors: [{"name", "shape", "datatype", "data"}]'
BINARY = "application/octet-stream"
MAX_BINARY_BYTES = 16 * MAX_ANSWER_BYTES
"""Before compression; beyond it a copy of the data may be what runs out of memory."""


# Modules, once they are needed. An import statement that is run again costs 0.3 us each time.
_binary: Any = None
_kinds: Any = None
_new = 0


def _import_binary() -> Any:
    global _binary
    from coldpress.protocols.oip import binary as _binary

    return _binary


class Output(NamedTuple):
    """How one output is to be answered."""

    name: str
    binary: bool
    classes: Any = None
    """The k of the classification extension."""


_ALL_BINARY, _ALL_JSON = Output("", binary=True), Output("", binary=False)
"""Where no output is named."""


class Form(NamedTuple):
    """What the answer must repeat or keep to."""

    id: str | None
    outputs: tuple[Output, ...]
    """As asked for; none: all of them."""
    binary: bool
    """For outputs that say nothing themselves."""


# ------------------------------------------------------------------------------ requests
def decode(request: Request, _route: Route, manifest: Manifest, settings: Settings) -> Inference:
    """The inference request in a body. Raises `InvalidRequest`, `TooLarge`, `Unsupported`."""
    header = request.headers.get(LENGTH_HEADER)
    if header is None:
        inference = _decode(parse(request.body), None, manifest, settings)
        refuse_rows(inference.tensors, manifest, settings)
        return inference
    binary = _binary or _import_binary()
    text, data = binary.split(request.body, header)
    if not text:
        tensor = binary.raw_input(manifest, data, settings)
        refuse_rows([tensor], manifest, settings)
        return Inference([tensor], None, Form(None, (), binary=True))
    known: Inference | None = binary.known(text, data, manifest, settings)
    if known is not None:
        return known
    reader = binary.Reader(data)
    inference = _decode(parse(text), reader, manifest, settings)
    reader.finish()
    refuse_rows(inference.tensors, manifest, settings)
    binary.keep(text, inference, len(data), manifest, settings)
    return inference


def _decode(body: Any, reader: "Reader | None", manifest: Manifest, settings: Settings) -> Inference:
    if not isinstance(body, dict):
        raise InvalidRequest(
            'the body must be a JSON object: {"inputs": [{"name", "shape", "datatype", "data"}]}'
        )
    request_id = body.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise InvalidRequest(f"id must be text, not {request_id!r:.40}")
    binary = _parameters(body, "the request").get("binary_data_output") is True
    outputs = _outputs(body.get("outputs"), binary)
    names = [output.name for output in outputs] or None
    tensors = tensors_of(body, settings, reader)
    if not tensors and manifest.inputs:
        raise InvalidRequest(NO_INPUTS)
    return Inference(tensors, names, Form(request_id, outputs, binary))


def tensors_of(body: dict[str, Any], settings: Settings, reader: "Reader | None" = None) -> list[Tensor]:
    """The tensors under `inputs`; binary ones are taken from `reader` in their order.

    Raises `InvalidRequest`, `TooLarge`, `Unsupported`.
    """
    inputs = body.get("inputs")
    if not isinstance(inputs, list):
        raise InvalidRequest(NO_INPUTS)
    if len(inputs) > settings.max_inputs:
        raise InvalidRequest(f"the request has {len(inputs)} inputs, the limit is {settings.max_inputs}")
    return [_tensor(row, settings, reader) for row in inputs]


def _tensor(row: Any, settings: Settings, reader: "Reader | None") -> Tensor:
    known = None if _kinds is None else _kinds.tensor_of(row, settings)
    return known or _new_tensor(row, settings, reader)


def _new_tensor(row: Any, settings: Settings, reader: "Reader | None") -> Tensor:
    if not isinstance(row, dict):
        raise InvalidRequest('each input must be an object: {"name", "shape", "datatype", "data"}')
    for field in ("name", "shape", "datatype"):
        if field not in row:
            raise InvalidRequest(f"input {row.get('name', '?')!r:.60} has no {field!r}")
    name, shape, datatype = row["name"], row["shape"], row["datatype"]
    if not isinstance(name, str) or not isinstance(datatype, str):
        raise InvalidRequest(
            f"an input's name and datatype must be text; got {name!r:.40} and {datatype!r:.40}"
        )
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise InvalidRequest(
            f"input {name!r}: shape must be a list of whole numbers from 0, not {shape!r:.80}"
        )
    parameters = _parameters(row, f"input {name!r}")
    if "binary_data_size" in parameters:
        return _packed(name, datatype, shape, row, reader, settings)
    if "data" not in row:
        raise InvalidRequest(f"input {name!r} has neither 'data' nor a binary_data_size")
    values = flat_of(row["data"], shape, name, settings.max_json_depth)
    tensor = pack(name, datatype, shape, values, settings)
    if values is row["data"]:
        _keep(tensor, settings)
    return tensor


def _keep(tensor: Tensor, settings: Settings) -> None:
    global _kinds, _new  # of the execution environment
    _new += 1
    if _new > 1:
        from coldpress.protocols import kinds  # worth its import to the second request, not to the first

        _kinds = kinds
        kinds.keep(tensor, settings)


def _packed(
    name: str,
    datatype: str,
    shape: list[int],
    row: dict[str, Any],
    reader: "Reader | None",
    settings: Settings,
) -> Tensor:
    if "data" in row:
        raise InvalidRequest(f"input {name!r} has both 'data' and a binary_data_size; give one")
    if reader is None:
        raise InvalidRequest(
            f"input {name!r} has a binary_data_size, but the header {LENGTH_HEADER} is missing"
        )
    data = reader.take(name, row["parameters"]["binary_data_size"])
    tensor: Tensor = (_binary or _import_binary()).unpack(name, datatype, shape, data, settings)
    return tensor


def _parameters(row: dict[str, Any], where: str) -> dict[str, Any]:
    parameters = row.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidRequest(f"{where}: parameters must be an object, not {parameters!r:.40}")
    if "shared_memory_region" in parameters:
        raise Unsupported(f"{where}: there is no shared memory with this server; send the data itself")
    return parameters


def _outputs(rows: Any, binary: bool) -> tuple[Output, ...]:
    if rows is None:
        return ()
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("name"), str) for row in rows
    ):
        raise InvalidRequest('"outputs" must be a list of objects with a name: [{"name": "scores"}]')
    outputs = []
    for row in rows:
        parameters = _parameters(row, f"output {row['name']!r}")
        asked = parameters.get("binary_data", binary) is True
        outputs.append(Output(row["name"], asked, parameters.get("classification")))
    if len({output.name for output in outputs}) < len(outputs):
        raise InvalidRequest("an output is asked for twice; each name may appear once")
    return tuple(outputs)


# ------------------------------------------------------------------------------ answers
def encode(inference: Inference, manifest: Manifest, tensors: list[Tensor]) -> Response:
    """The answer; the request's id is echoed, binary outputs follow the JSON part in their order.

    Raises:
        InvalidRequest: a classification that cannot be, or an output that this answer does not have.
        TooLarge: more values than JSON can answer.
        Unprocessable: an output that JSON cannot say.
    """
    form: Form = inference.form
    key = _kind(form, manifest, tensors)
    text = _texts.get(key) if key else None
    if text is not None:
        return _with_data(text, [memoryview(tensor.data).cast("B") for tensor in tensors])  # type: ignore[arg-type]
    parts: list[Any] = []
    rows = [
        _row(output, tensor, manifest.labels, parts) for output, tensor in _wanted(form, manifest, tensors)
    ]
    # By hand: of a small answer, half the time went into making objects of it for json.dumps.
    repeated = "" if form.id is None else f'"id":{quoted(form.id)},'
    text = in_utf8(
        f'{{"model_name":{quoted(manifest.model)},"model_version":"{manifest.version}",{repeated}'
        f'"outputs":[{",".join(rows)}]}}'
    )
    if not parts:
        return Response(200, {"content-type": "application/json"}, text)
    if key:
        if len(_texts) >= MAX_HEADS:
            _texts.clear()
        _texts[key] = text
    return _with_data(text, parts)


_texts: dict[tuple[Any, ...], bytes] = {}


def _kind(form: Form, manifest: Manifest, tensors: list[Tensor]) -> tuple[Any, ...]:
    """What decides on the JSON part of an answer whose outputs are all numbers behind it; () for another."""
    if form.id is not None or form.outputs or not form.binary:
        return ()
    if list in [type(tensor.data) for tensor in tensors]:
        return ()
    return (manifest.model, manifest.version, *[(t.name, t.datatype, t.shape) for t in tensors])


def _with_data(text: bytes, parts: list[Any]) -> Response:
    size = sum(map(len, parts))
    if size > MAX_BINARY_BYTES:
        raise TooLarge(
            f"the outputs have {size} bytes, the limit is {MAX_BINARY_BYTES}: "
            "ask for fewer rows or outputs at a time"
        )
    return Response(200, {"content-type": BINARY, LENGTH_HEADER: str(len(text))}, b"".join([text, *parts]))


def _wanted(form: Form, manifest: Manifest, tensors: list[Tensor]) -> list[tuple[Output, Tensor]]:
    """Each tensor with the output that asked for it, in the order of the request.

    An output that is no tensor is answered by several, or none (see `ort.containers`): they may be asked
    for one by one, or by the output's own name all at once.
    """
    if not form.outputs:
        asked = _ALL_BINARY if form.binary else _ALL_JSON
        return [(asked, tensor) for tensor in tensors]
    if [tensor.name for tensor in tensors] == [output.name for output in form.outputs]:
        return list(zip(form.outputs, tensors, strict=True))
    found: dict[str, list[Tensor]] = {output.name: [] for output in form.outputs}
    for tensor in tensors:
        for name in (tensor.name, tensor.name.rpartition(".")[0]):
            if name in found:
                found[name].append(tensor)
                break
    declared = {info.name.removesuffix(".*") for info in manifest.outputs}
    for name, answers in found.items():
        if not answers and name not in declared:
            names = ", ".join(repr(tensor.name) for tensor in tensors) or "none"
            raise InvalidRequest(f"no output {name!r} in this answer; it has {names}")
    pairs = [(output, tensor) for output in form.outputs for tensor in found[output.name]]
    # Of a map, the values are classified; its keys nobody asked for then.
    return [(o, tensor) for o, tensor in pairs if o.classes is None or tensor.name != f"{o.name}.keys"]


MAX_HEADS = 256
"""Beginnings of outputs kept as text."""
_row_heads: dict[tuple[str, str, tuple[int, ...]], str] = {}


def _row_head(name: str, datatype: str, shape: tuple[int, ...]) -> str:
    """How an output begins in JSON."""
    known = _row_heads.get((name, datatype, shape))
    if known is None:
        if len(_row_heads) >= MAX_HEADS:
            _row_heads.clear()
        sizes = ",".join(map(str, shape))
        known = f'{{"name":{quoted(name)},"datatype":"{datatype}","shape":[{sizes}],'
        _row_heads[name, datatype, shape] = known
    return known


def _row(output: Output, tensor: Tensor, labels: tuple[str, ...], parts: list[Any]) -> str:
    """An output's JSON; its binary data, if that is how it is asked for, is added to `parts`."""
    if output.classes is not None:
        from coldpress.protocols.oip.classification import top

        tensor = top(tensor, output.classes, labels)
    row = _row_head(tensor.name, tensor.datatype, tensor.shape)
    if output.binary:
        data = (_binary or _import_binary()).to_bytes(tensor)
        parts.append(data)
        return f'{row}"parameters":{{"binary_data_size":{len(data)}}}}}'
    if tensor.datatype == "BF16":
        raise Unprocessable(
            f"output {tensor.name!r}: BF16 has no JSON form; ask for it as binary tensor data"
        )
    return f'{row}"data":{values_in_json(tensor)}}}'
