"""`coldpress train` and `coldpress press` as processes of their own, in a home that must stay clean."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coldpress_build.recipes import RECIPES
from coldpress_ops.cli import app

SMALL = [f"--set={pair}" for pair in ("epochs=3", "restarts=1", "dimension=8", "hidden=8", "average=0.5")]
NOISE = (
    "warning",
    "tip",
    "hint",
    "gpu",
    "tpu",
    "rank",
    "seed set",
    "litlogger",
    "[torch",
    "deprecat",
    "traceback",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory and the home of every command here."""
    return tmp_path_factory.mktemp("home")


def coldpress(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (home / "tmp").mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COLDPRESS_")}
    environment |= {"HOME": str(home), "TMPDIR": str(home / "tmp"), "COLDPRESS_CACHE": str(home / "cache")}
    return subprocess.run(
        [sys.executable, "-m", "coldpress_ops", *arguments],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def data(home: Path) -> Path:
    rows = [("a fine film" if n % 2 else "a dull film", "up" if n % 2 else "down") for n in range(120)]
    path = home / "rows.jsonl"
    path.write_text(
        "\n".join(json.dumps({"text": f"{text} {n}", "label": label}) for n, (text, label) in enumerate(rows))
    )
    return path


@pytest.fixture(scope="module")
def trained(home: Path, data: Path) -> subprocess.CompletedProcess[str]:
    return coldpress(home, "train", "text-classifier", "--data", data.name, *SMALL)


def test_train_prints_a_short_table(trained: subprocess.CompletedProcess[str], home: Path) -> None:
    assert trained.returncode == 0, trained.stderr
    (run,) = (home / ".coldpress" / "runs").iterdir()
    metrics = json.loads((run / "metrics.json").read_text())
    lines = trained.stdout.splitlines()
    assert lines[0] == "rows: 96 train, 12 validation, 12 test"
    assert f"pressed ({metrics['winner']})" in trained.stdout
    assert f"{metrics['accuracy']:.4f}" in trained.stdout
    assert lines[-2:] == [
        f"model   .coldpress/runs/{run.name}/model.onnx",
        f"report  .coldpress/runs/{run.name}/report/index.html",
    ]
    stages = [line.split()[0] for line in trained.stderr.splitlines()]
    assert stages == ["data", "baseline", "train", "export", "press", "report"]


def test_no_noise_reaches_the_terminal(trained: subprocess.CompletedProcess[str]) -> None:
    said = (trained.stdout + trained.stderr).lower()
    assert [word for word in NOISE if word in said] == []


def test_nothing_is_written_but_the_run_and_the_cache(
    trained: subprocess.CompletedProcess[str], home: Path, data: Path
) -> None:
    assert trained.returncode == 0
    written = {path.relative_to(home).parts[0] for path in home.rglob("*") if path.is_file()}
    assert written <= {".coldpress", "cache", data.name}
    # Checkpoints are for a run that is not done.
    assert list((home / ".coldpress").glob("checkpoints/**/*.pt")) == []


def test_quiet_json_is_only_json(home: Path, data: Path) -> None:
    done = coldpress(
        home, "train", "text-classifier", "--data", data.name, "--out", "elsewhere", "-q", "--json", *SMALL
    )
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert Path(result["model"]).parts[0] == "elsewhere"
    assert (home / result["model"]).stat().st_size == result["bytes"]


def test_press_prints_the_path_of_the_winner(
    trained: subprocess.CompletedProcess[str], home: Path, data: Path
) -> None:
    assert trained.returncode == 0
    (run,) = (home / ".coldpress" / "runs").iterdir()
    done = coldpress(home, "press", str(run / "model.fp32.onnx"), "--data", data.name, "--max-loss", "5")
    assert done.returncode == 0, done.stderr
    model = home / done.stdout.strip()
    assert model.parent.parent == home / ".coldpress" / "press"
    report = json.loads((model.parent / "report" / "report.json").read_text())
    assert (report["training"], report["pressed"]["gate"]["max_loss"]) == (None, 5.0)
    assert "fp16: is not smaller" in done.stderr
    assert [word for word in NOISE if word in (done.stdout + done.stderr).lower()] == []


TRAIN = ["train", "text-classifier"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "image"], "there is no recipe 'image'; the recipes are tabular-mlp, regressor, "),
        (
            [*TRAIN, "--set", "epoch=3"],
            "there is no setting 'epoch'; the settings, with their defaults, are ",
        ),
        ([*TRAIN, "--set", "epochs=x"], "epochs='x' is not a whole number; a good value is epochs=20"),
        ([*TRAIN, "--data", "none.csv"], "none.csv cannot be read: No such file or directory"),
        (
            ["train", "tabular-mlp", "--data", "irises"],
            "there is no data 'irises': give a file that ends with",
        ),
        ([*TRAIN, "--config", "none.toml"], "none.toml cannot be read: No such file or directory"),
        ([*TRAIN, "--publish", "No Name"], "'No Name'"),
        (
            ["press", "none.onnx", "--data", "rows.jsonl"],
            "none.onnx cannot be read: No such file or directory",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_1(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_settings_are_listed_with_what_they_mean() -> None:
    done = CliRunner().invoke(app, ["train", "tabular-mlp", "--settings"])
    assert done.exit_code == 0
    assert "hidden=64,32\n    Widths of the hidden layers, such as 1000,500,250,100" in done.stdout
    assert all(f"\n{name}=" in done.stdout for name in ("seed", "target", "class_weights", "ignore"))


def test_help_lists_every_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    told = CliRunner().invoke(app, ["train", "--help"]).stdout
    assert all(f"{name}: {entry.summary}" in told for name, entry in RECIPES.items())


def test_a_file_a_target_and_settings_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.csv").write_text("n,bought\n" + "1,yes\n2,no\n" * 100)
    (tmp_path / "small.toml").write_text("epochs = 1\nhidden = [4]\nrestarts = 1\n")
    monkeypatch.chdir(tmp_path)
    arguments = ["train", "tabular-mlp", "--data", "shop.csv", "--target", "n", "--config", "small.toml"]
    done = CliRunner().invoke(app, [*arguments, "--set", "epochs=2", "--out", "runs", "-q", "--json"])
    assert done.exit_code == 0, done.stderr
    found = json.loads((Path(json.loads(done.stdout)["folder"]) / "config.json").read_text())["config"]
    assert {name: found[name] for name in ("epochs", "hidden", "restarts", "target")} == {
        "epochs": 2,
        "hidden": [4],
        "restarts": 1,
        "target": "n",
    }


def test_without_network_and_cache_the_error_says_what_is_needed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    done = coldpress(home, *TRAIN)
    assert (done.returncode, done.stdout) == (1, "")
    for part in (
        "vaderSentiment 2.5",
        "b960c954831f5ca58afee61780cc04ed48e551b91e783bfcbfb2c18bb8081a84",
        f"put a copy of the file at {home}/cache/downloads/vaderSentiment-2.5.tar.gz",
    ):
        assert part in done.stderr
