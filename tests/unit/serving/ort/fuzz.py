"""Throws rubbish at coldpress.ort for a while: `fuzz.py SECONDS SEED [mutate]`.

Every answer must be a result or a ColdpressError, and the process must end by itself: "ok", exit status 0.
With `mutate`, damaged models that still parse are opened and run too: that tries ONNX Runtime more than us.
"""

import random
import resource
import sys
import threading
import time
from collections import Counter
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from coldpress.errors import ColdpressError
from coldpress.ort import Library, Session, SessionOptions, library_path
from coldpress.tensors import DATATYPES, Tensor

F, N, B, S = (
    int(kind) for kind in (TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING)
)
value, node = helper.make_tensor_value_info, helper.make_node

seconds, seed = float(sys.argv[1]), int(sys.argv[2])
mutate = sys.argv[3:] == ["mutate"]
chance = random.Random(seed)  # noqa: S311
outcomes: Counter[str] = Counter()
# A shape that asks for more than this must be an error, not the end of the machine.
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))


def model(nodes: list[Any], inputs: dict[str, int], outputs: dict[str, int], **weights: Any) -> bytes:
    graph = helper.make_graph(
        nodes,
        "fuzz",
        [value(name, kind, None) for name, kind in inputs.items()],
        [value(name, kind, None) for name, kind in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def models() -> list[bytes]:
    """Operators whose inputs say where to read, how much to write or how to walk memory."""
    two = {"x": F, "i": N}
    weight = np.arange(24, dtype="f").reshape(4, 6)
    upper = node("StringNormalizer", ["s"], ["y"], case_change_action="UPPER", locale="C")
    return [
        model([node("Gather", ["w", "i"], ["y"])], {"i": N}, {"y": F}, w=weight),
        model([node("GatherElements", ["x", "i"], ["y"], axis=-1)], two, {"y": F}),
        model([node("GatherND", ["x", "i"], ["y"])], two, {"y": F}),
        model([node("ScatterElements", ["x", "i", "x"], ["y"])], two, {"y": F}),
        model([node("ScatterND", ["x", "i", "x"], ["y"])], two, {"y": F}),
        model([node("Reshape", ["x", "i"], ["y"])], two, {"y": F}),
        model([node("Expand", ["x", "i"], ["y"])], two, {"y": F}),
        model([node("Tile", ["x", "i"], ["y"])], two, {"y": F}),
        model([node("Pad", ["x", "i"], ["y"])], two, {"y": F}),
        model([node("Slice", ["x", "i", "i"], ["y"])], two, {"y": F}),
        model([node("TopK", ["x", "i"], ["y", "k"])], two, {"y": F, "k": N}),
        model([node("Range", ["i", "j", "k"], ["y"])], {"i": N, "j": N, "k": N}, {"y": N}),
        model([node("ConstantOfShape", ["i"], ["y"])], {"i": N}, {"y": F}),
        model([node("OneHot", ["i", "d", "v"], ["y"])], {"i": N, "d": N}, {"y": F}, v=np.array([0, 1], "f")),
        model([node("NonZero", ["b"], ["y"])], {"b": B}, {"y": N}),
        model([node("Compress", ["x", "b"], ["y"])], {"x": F, "b": B}, {"y": F}),
        model([node("Where", ["b", "x", "z"], ["y"])], {"b": B, "x": F, "z": F}, {"y": F}),
        model([node("MatMul", ["x", "z"], ["y"])], {"x": F, "z": F}, {"y": F}),
        model([node("Conv", ["x", "w"], ["y"])], {"x": F}, {"y": F}, w=np.ones((2, 3, 3, 3), "f")),
        model([node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])], {"x": F}, {"y": F}),
        model([node("Softmax", ["x"], ["y"])], {"x": F}, {"y": F}),
        model([node("Split", ["x", "i"], ["y", "z"])], two, {"y": F, "z": F}),
        model([node("Unsqueeze", ["x", "i"], ["y"])], two, {"y": F}),
        model([node("ReduceSum", ["x", "i"], ["y"])], two, {"y": F}),
        model([node("CumSum", ["x", "i"], ["y"])], two, {"y": F}),
        model([node("StringSplit", ["s"], ["y", "n"])], {"s": S}, {"y": S, "n": N}),
        model([upper], {"s": S}, {"y": S}),
        model([node("Cast", ["s"], ["y"], to=F)], {"s": S}, {"y": F}),
        model([node("SplitToSequence", "xi", "q"), node("SequenceAt", "qi", "y")], two, {"y": F}),
        model([node("Identity", ["x"], ["y"]), node("Relu", ["y"], ["z"])], {"x": F}, {"x": F, "z": F}),
    ]  # fmt: skip


def dimension() -> Any:
    return chance.choice(
        [0, 1, 1, 2, 2, 3, 4, 6, 7, 1000, -1, 2**31, 2**40, 2**62, 2**63, 2**70, 1.5, None, True]
    )


def numbers(name: str, size: int) -> Any:
    """Mostly the right number of bytes: small values, extreme ones, or noise."""
    row = DATATYPES[name]
    wanted = size * row.size + (chance.choice([-1, 1, 7, row.size]) if chance.random() < 0.1 else 0)
    wanted = max(0, min(wanted, 1 << 16))
    odd = [
        bytes(row.size),
        b"\xff" * row.size,
        b"\x80" * row.size,
        b"\x7f" * row.size,
        b"\1" + bytes(row.size - 1),
    ]
    item = b"".join(chance.choice([*odd, chance.randbytes(row.size)]) for _ in range(min(wanted, 64)))
    raw = (b"!" + (item * (wanted // max(len(item), 1) + 1)))[: wanted + 1] if item else b"!" * (wanted + 1)
    if name == "BOOL" and chance.random() < 0.9:
        raw = bytes(byte & 1 for byte in raw)
    return chance.choice([memoryview(raw)[1:], raw[1:], bytearray(raw[1:]), memoryview(raw[1:])])


def tensor(name: str, likely: str) -> Tensor:
    datatype = likely if chance.random() < 0.9 else chance.choice([*DATATYPES, "FP8", ""])
    rank = chance.randrange(5)
    shape: Any = tuple(chance.choice([0, 1, 2, 3, 4]) for _ in range(rank))
    if chance.random() < 0.15:
        shape = tuple(dimension() for _ in range(rank))
    size = 1
    for each in shape:
        size *= each if isinstance(each, int) and 0 <= each < 100 else 1
    if datatype == "BYTES" or chance.random() < 0.02:
        words = [b"", b"a b", b"\0", b"\xff\xfe", b"12", b"inf", "größe".encode(), chance.randbytes(9)]
        return Tensor(name, datatype, shape, [chance.choice(words) for _ in range(size)])
    return Tensor(name, datatype, shape, numbers(datatype if datatype in DATATYPES else "INT8", size))


def attempt(label: str, call: Any) -> Any:
    try:
        result = call()
    except ColdpressError as error:
        outcomes[f"{label}: {type(error).__name__}"] += 1
        return None
    outcomes[f"{label}: done"] += 1
    return result


def throw(session: Session) -> None:
    inputs = [tensor(spec.name, spec.datatype) for spec in session.inputs if chance.random() < 0.98]
    if chance.random() < 0.02:
        inputs.append(tensor("surplus", "FP32"))
    for found in attempt("run", lambda: session.run(inputs, deadline=time.monotonic() + 10)) or []:
        if isinstance(found.data, memoryview):
            found.data.tobytes()
        repr(found)


def damaged(original: bytes) -> bytes:
    kind = chance.randrange(3)
    if kind == 0:
        return chance.randbytes(chance.randrange(1000))
    if kind == 1 or not mutate:
        return original[: chance.randrange(len(original))]
    copy = bytearray(original)
    for _ in range(chance.choice([1, 1, 2, 5])):
        copy[chance.randrange(len(copy))] = chance.randrange(256)
    return bytes(copy)


def throw_often(session: Session) -> None:
    for _ in range(20):
        throw(session)


def in_threads(library: Library, original: bytes) -> None:
    """Several threads throw at one session while it is closed."""
    session = Session.open(library, original, SessionOptions(threads=2))
    threads = [threading.Thread(target=lambda: throw_often(session)) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(chance.random() / 100)
    session.close()
    for thread in threads:
        thread.join()
    attempt("closed", lambda: session.run([]))


def main() -> None:
    library = Library.open(library_path())
    originals = models()
    sessions = [
        Session.open(library, each, SessionOptions(threads=1 + i % 2)) for i, each in enumerate(originals)
    ]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for session in chance.sample(sessions, 10):
            throw(session)
        opened = attempt("open", lambda: Session.open(library, damaged(chance.choice(originals))))
        if opened:
            throw(opened)
        if chance.random() < 0.05:
            in_threads(library, chance.choice(originals))
    print(*(f"{name} {count}" for name, count in sorted(outcomes.items())), sep="\n")
    print("ok")


main()
