"""Keeps the libraries' hints, tips and banners off the terminal. What goes wrong is raised, not logged."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

LOGGERS = (
    "onnxruntime",
    "onnxscript",
    "onnx_ir",
    "torch.onnx",
    "matplotlib",
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, no log lines below ERROR, nothing printed, while the block runs; then all as before.

    onnxruntime's quantizer logs through the root logger, and torch's exporter prints.
    """
    loggers = [logging.getLogger(name) for name in ("", *LOGGERS)]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
