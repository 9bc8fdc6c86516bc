"""Offline optimisation: the form that opens fastest, if it answers exactly as the original does.

The full level chooses layouts for the CPU it runs on. Of those only NCHWc is bound to it: weights are
stored in blocks of 16 channels where MLAS finds AVX-512F, of 8 on any other x86 (`NchwcBlockSize` in ONNX
Runtime's mlas/lib/platform.cpp), and a block size other than the machine's computes nonsense.
"""

import mmap
from pathlib import Path
from typing import TYPE_CHECKING

from coldpress import cpu, external
from coldpress.errors import ColdpressError
from coldpress.loading import IN_PLACE
from coldpress.settings import MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from coldpress import ort
    from coldpress.tensors import Tensor

MAX_BYTES = 512 * MIB
"""Larger models keep to the portable form: saving takes several times their size in memory, and a flatbuffer
ends at 2 GiB."""
EXTERNAL_BYTES = 128 * MIB
"""From here on the form is `external`: opened in place, a model that is mostly matrix products takes twice
its size in memory, as ONNX Runtime packs their weights anew. For smaller ones that matters less."""
INLINE_BYTES = 1024
"""Smaller weights of the external form stay in the graph."""
ORT, EXTERNAL = "model.ort", external.NAME
"""The files' names."""

# Every path into or out of NCHWc goes through one of these. Looked for as bytes: the operator set's own name
# is in every file.
NCHWC_OPERATORS = (b"ReorderInput", b"ReorderOutput")

Answers = list[list["Tensor"]]


def name_for(size: int) -> str:
    """The optimised file's name, and so its form, for a model of `size` bytes."""
    return EXTERNAL if size >= EXTERNAL_BYTES else ORT


def optimise(library: "ort.Library", model: str, path: str, threads: int) -> None:
    """Writes the model at `model` to `path`, optimised at the full level, in the form that the name says.

    Raises `OrtError`.
    """
    from coldpress import ort

    written, config = path, {"session.save_model_format": "ORT"}
    if Path(path).name == EXTERNAL:
        written = f"{path}.graph"
        config = {
            "session.optimized_model_external_initializers_file_name": EXTERNAL,
            "session.optimized_model_external_initializers_min_size_in_bytes": str(INLINE_BYTES),
        }
    options = ort.SessionOptions(threads=threads, config=config, optimised_model_path=written)
    ort.Session.open(library, model, options).close()
    if written != path:
        external.join(path, Path(written).read_bytes())
        Path(written).unlink()


def answers_as_served(
    library: "ort.Library", path: str, threads: int, ask: "Callable[[ort.Session], Answers]"
) -> Answers:
    """What the optimised model at `path` answers, opened exactly as the predict function opens it."""
    from coldpress import ort

    outside = Path(path).name == EXTERNAL
    config = external.config(path) if outside else IN_PLACE
    options = ort.SessionOptions(threads=threads, optimisation="none", config=config)
    if outside:
        model: bytes | mmap.mmap = external.graph_of(path)
    else:
        with Path(path).open("rb") as file:
            model = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    with ort.Session.open(library, model, options) as session:
        return ask(session)


def cpu_features(path: str) -> tuple[str, ...]:
    """What a CPU must have to run the optimised model at `path`; see `coldpress.cpu`."""
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        blocked = any(data.find(name) >= 0 for name in NCHWC_OPERATORS)
    return (cpu.machine(), *([cpu.nchwc_block()] if blocked else []))


def verified(
    library: "ort.Library",
    model: str,
    path: str,
    threads: int,
    expected: Answers,
    ask: "Callable[[ort.Session], Answers]",
) -> str:
    """Writes and verifies the optimised form of `model` at `path`.

    Args:
        expected: the answers of the original.
        ask: puts the same questions to a session.

    Returns:
        Empty when the optimised form may be served, else why not.
    """
    size = Path(model).stat().st_size
    if size > MAX_BYTES:
        return f"larger than {MAX_BYTES // MIB} MiB"
    try:
        optimise(library, model, path, threads)
        found = answers_as_served(library, path, threads, ask)
    except ColdpressError as error:
        return f"the optimised form fails: {str(error).partition(chr(10))[0]}"
    return "" if found == expected else "the optimised form answers differently"
