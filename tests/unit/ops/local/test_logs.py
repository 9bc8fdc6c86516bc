"""A function's log: appended, bounded, readable."""

import os
from pathlib import Path

from coldpress_ops.local.logs import FunctionLog


def test_appends_with_ordinary_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "f.log"
    path.write_text("before\n")
    log = FunctionLog(path)
    os.write(log.output, b"[ERROR] x\rTraceback\r  line\nnext\r\n")
    log.close()
    assert path.read_text() == "before\n[ERROR] x\nTraceback\n  line\nnext\n"


def test_is_bounded(tmp_path: Path) -> None:
    for number in range(5):
        log = FunctionLog(tmp_path / "f.log", max_bytes=10)
        os.write(log.output, f"{number}".encode() * 11)
        log.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "f.log.1": "4" * 11,
        "f.log.2": "3" * 11,
    }


def test_a_log_that_cannot_be_written_does_not_stop_the_function(tmp_path: Path) -> None:
    log = FunctionLog(tmp_path / "missing" / "f.log")
    # More than a pipe holds: this blocks for ever unless somebody reads.
    for _ in range(20):
        os.write(log.output, b"x" * 10_000)
    log.close()
    assert list(tmp_path.iterdir()) == []
