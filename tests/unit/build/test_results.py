"""Small parts: figures, files, folders, progress, quiet and JSON."""

import io
import json
import logging
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from coldpress_build import runs
from coldpress_build.baseline import text_baseline
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.errors import DataError
from coldpress_build.files import write_atomic
from coldpress_build.progress import Progress
from coldpress_build.quiet import quiet
from coldpress_build.report.json_text import to_json


def test_the_baseline_learns_words() -> None:
    data = Dataset.labelled("x", {"text": np.array(["good film", "bad film"] * 10, object)}, ["p", "n"] * 10)
    part = data.take(range(8))
    baseline = text_baseline(Parts(data.take(range(5)), part, part))
    assert (baseline.validation, baseline.test) == (1.0, 1.0)
    assert baseline.trivial == 0.5


def test_the_baseline_learns_from_texts_without_long_words() -> None:
    data = Dataset.labelled("x", {"text": np.array(["😀 👍", "😡 x"] * 10, object)}, ["p", "n"] * 10)
    part = data.take(range(8))
    assert text_baseline(Parts(part, part, part)).test == 1.0
    blank = Dataset("x", {"text": np.array(["", " \n"], object)}, np.array([0, 1]), ("a", "b"))
    with pytest.raises(DataError, match="x: the 2 texts of the training part are all blank"):
        text_baseline(Parts(blank, part, part))


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    assert write_atomic(path, "é").read_bytes() == "é".encode()
    write_atomic(path, b"new")
    with pytest.raises(TypeError):
        write_atomic(path, None)  # type: ignore[arg-type]
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").touch()
    with pytest.raises(OSError, match="taken"):
        write_atomic(tmp_path / "taken", b"")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


def test_a_folder_appears_when_it_is_done(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "one"
    with runs.whole_folder(target) as folder:
        (folder / "file").touch()
        assert not target.exists()
    assert [entry.name for entry in target.iterdir()] == ["file"]
    with pytest.raises(FileNotFoundError), runs.whole_folder(tmp_path / "runs" / "two") as folder:
        (folder / "missing" / "file").touch()
    assert [entry.name for entry in target.parent.iterdir()] == ["one"]


def test_run_ids_do_not_meet() -> None:
    ids = {runs.new_id("x") for _ in range(20)}
    assert len(ids) > 1
    assert all(one.startswith("x-2") for one in ids)


def test_json_has_no_numbers_that_json_does_not_have() -> None:
    @dataclass
    class Found:
        numbers: tuple[float, ...]
        where: Path

    assert json.loads(to_json(Found((1.5, float("nan"), float("inf")), Path("a/b")))) == {
        "numbers": [1.5, None, None],
        "where": "a/b",
    }


def test_stages_are_told_when_they_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    progress = Progress()
    with progress.stage("train"):
        progress.tell("epoch 1")
        progress.conclude("[0.5] good")
    assert sys.stderr.getvalue().endswith("s  [0.5] good\n")  # type: ignore[attr-defined]
    assert list(progress.seconds) == ["train"]


def test_silent_progress_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with Progress(silent=True).stage("train"):
        pass
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_quiet_is_quiet_and_then_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    with quiet():
        print("a banner")
        logging.getLogger().warning("a hint")
        logger.warning("a tip")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr() == ("", "")
    assert logger.level == before
    with pytest.warns(DeprecationWarning, match="old"):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
