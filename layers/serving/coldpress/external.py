"""Large models: one file that holds the weights and behind them the graph, opened from the disk.

    weights | graph, as ONNX | the graph's length, 8 bytes, little-endian

ONNX Runtime maps each weight from the file and lets go of it once it has packed it anew for its matrix
products. A 434 MB transformer takes 380 MB of memory so, and 820 MB where it is opened in place, which keeps
both copies of every weight.
"""

import os

from coldpress.errors import Internal

NAME = "model.external"
"""Of the file, and therefore what the graph calls the place of its weights."""
FOLDER = "session.model_external_initializers_file_folder_path"
LENGTH_BYTES = 8


def config(path: str) -> dict[str, str]:
    """Session settings with which the graph finds its weights at `path`. Raises `Internal`: not named so."""
    folder, _, name = path.rpartition("/")
    if name != NAME:
        raise Internal(f"{path} is not named {NAME}, as its graph has it")
    return {FOLDER: folder}


def graph_of(path: str) -> bytes:
    """The graph. Raises `Internal`: there is none."""
    file = os.open(path, os.O_RDONLY)
    try:
        end = os.fstat(file).st_size - LENGTH_BYTES
        length = int.from_bytes(os.pread(file, LENGTH_BYTES, end), "little") if end > 0 else 0
        if not 0 < length <= end:
            raise Internal(f"{path} does not end like a model with its graph behind the weights")
        return os.pread(file, length, end - length)
    finally:
        os.close(file)


def join(path: str, graph: bytes) -> None:
    """Puts the graph behind the weights at `path`."""
    with open(path, "ab") as file:  # noqa: PTH123 - pathlib is not imported on the cold path
        file.write(graph)
        file.write(len(graph).to_bytes(LENGTH_BYTES, "little"))
