"""`coldpress train`, ended by SIGTERM in the middle and gone on with by --resume."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from coldpress.jobs import RETRY_EXIT
from coldpress_build.config import override
from coldpress_build.engine import train
from coldpress_build.progress import Progress
from coldpress_build.recipes import find

SETTINGS = (
    "epochs=120", "patience=120", "batch_size=8", "restarts=1", "dimension=4", "hidden=4", "min_count=1",
    "checkpoint_steps=100",
)  # fmt: skip


def rows(path: Path) -> Path:
    lines = [json.dumps({"text": f"film {n % 7} {n % 3}", "label": "ab"[n % 7 > 3]}) for n in range(100)]
    path.write_text("\n".join(lines))
    return path


def started(home: Path, *more: str) -> "subprocess.Popen[str]":
    command = ["train", "text-classifier", "--data", "rows.jsonl", *more]
    settings = [f"--set={pair}" for pair in SETTINGS]
    return subprocess.Popen(
        [sys.executable, "-m", "coldpress_ops", *command, *settings],
        cwd=home,
        env={name: value for name, value in os.environ.items() if not name.startswith("COLDPRESS_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def losses_of_one_go(data: Path) -> list[tuple[str, str]]:
    recipe = find("text-classifier")
    config = override(recipe.config, SETTINGS)
    parts = recipe.split(recipe.load(str(data), config), config)
    chosen = train(recipe.prepare(parts, config), parts, config, Progress(silent=True)).chosen
    return [(str(epoch.train_loss), str(epoch.validation_loss)) for epoch in chosen.epochs]


def written(state: Path) -> list[tuple[str, str]]:
    """The losses in the metrics.csv of the run that is under way."""
    for path in state.glob("runs/.*.partial/metrics.csv"):
        with path.open(newline="") as file:
            return [(row["train_loss"], row["validation_loss"]) for row in csv.DictReader(file)]
    return []


def test_resumed_it_has_the_losses_of_one_go_to_the_last_digit(tmp_path: Path) -> None:
    state = tmp_path / ".coldpress"
    expected = losses_of_one_go(rows(tmp_path / "rows.jsonl"))
    with started(tmp_path, "--quiet") as process:
        while process.poll() is None and not list(state.glob("checkpoints/*/seed-0/latest.json")):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        printed, told = process.communicate(timeout=100)
    assert (process.returncode, printed) == (RETRY_EXIT, ""), told
    (line,) = told.splitlines()
    assert line.startswith("error: stopped by SIGTERM in epoch ")
    assert line.endswith("the same command with --resume goes on")
    assert list((state / "runs").iterdir()) == []

    # It is ended once more in the press, which takes what its tools raise for a candidate that is no good.
    with started(tmp_path, "--resume") as process:
        assert process.stderr
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("export "):
                break
        found = written(state)
        time.sleep(1.0)  # the first candidates are tried
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=100)
    assert process.returncode == RETRY_EXIT, told
    assert any(re.match(r"train +goes on after step [1-9]\d*, in epoch \d+: file://", line) for line in lines)
    assert told.endswith("error: stopped by SIGTERM; the same command with --resume goes on\n")
    assert found == expected
    assert list((state / "runs").iterdir()) == []
