"""`coldpress train --sweep --cv --slice`: on the terminal, in the run's folder, in the model."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from coldpress_build.press import measure
from coldpress_build.serving import ServedModel
from coldpress_ops.cli import app

SETTINGS = ("ignore=city", "epochs=3", "average=0", "batch_size=32", "restarts=1")


def write_table(path: Path, rows: int = 240) -> Path:
    """y is a plane through a and b, but in the city of south it is another one."""
    generator = np.random.default_rng(0)
    lines = ["a,b,city,y"]
    for number in range(rows):
        a, b = generator.normal(size=2)
        city = ("north", "south", "east")[number % 3]
        lines.append(f"{a},{b},{city},{a - 2 * b + (8 * b if city == 'south' else 0)}")
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("extras")


@pytest.fixture(scope="module")
def done(folder: Path) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "ROUNDS", 5)
        data = write_table(folder / "plane.csv")
        options = [
            "--sweep",
            "3",
            "--cv",
            "2",
            "--slice",
            "city",
            "--slice",
            "a",
            "--state",
            str(folder / "s"),
        ]
        pairs = [f"--set={pair}" for pair in SETTINGS]
        return CliRunner().invoke(app, ["train", "regressor", "--data", str(data), *options, *pairs])


@pytest.fixture(scope="module")
def run(done: Result, folder: Path) -> Path:
    assert done.exit_code == 0, done.output
    (found,) = (folder / "s" / "runs").iterdir()
    return found


def test_the_terminal_tells_trials_folds_and_slices(done: Result, run: Path) -> None:
    training = json.loads((run / "report" / "report.json").read_text())["training"]
    stages = [line.split()[0] for line in done.stderr.splitlines()]
    assert stages == ["data", "sweep", "cross-validation", "baseline", "train", "export", "press", "report"]
    spread = training["cross_validation"]["metrics"]["r2"]
    assert f"{spread['mean']:.4f} ± {spread['deviation']:.4f}" in done.stdout
    assert f"{training['sweep']['best']['loss']:.4f}" in done.stdout
    (south,) = (one for one in training["evaluation"]["slices"] if one["value"] == "south")
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("city = south"))
    figure, remarks = f"{south['metric']['value']:.4f}", "few rows"
    assert re.fullmatch(rf"city = south +{south['rows']} +{figure} \(.* to .*\) +{remarks} *", line)


def test_the_published_model_has_the_best_settings_and_its_figures(run: Path) -> None:
    report = json.loads((run / "report" / "report.json").read_text())["training"]
    assert report["sweep"]["best"]["settings"].items() <= report["config"].items()
    assert len(report["sweep"]["trials"]) == 3
    assert "batch_size" not in report["sweep"]["space"]  # --set said it
    evaluation = report["evaluation"]
    told = json.loads(ServedModel.open(run / "model.onnx").metadata["coldpress.metrics"])
    assert told == {
        "r2": evaluation["metrics"]["r2"]["value"],
        "r2_low": evaluation["metrics"]["r2"]["low"],
        "r2_high": evaluation["metrics"]["r2"]["high"],
        "baseline_r2": report["baseline"]["test"],
    }
    assert evaluation["against"]["value"] == pytest.approx(report["baseline"]["test"], abs=1e-6)
    assert {one["column"] for one in evaluation["slices"]} == {"city", "a"}
    south, *others = sorted(
        (one for one in evaluation["slices"] if one["column"] == "city"),
        key=lambda one: -one["metric"]["value"],
    )
    assert south["value"] == "south"
    assert all(south["metric"]["low"] > one["metric"]["value"] for one in others)


def test_best_toml_is_what_config_takes(run: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coldpress_build.config import from_file, override
    from coldpress_build.recipes import find

    kind = find("regressor").config
    config = override(kind, from_file(kind, run / "best.toml"))
    assert config.ignore == ("city",)
    assert config.learning_rate == json.loads((run / "config.json").read_text())["config"]["learning_rate"]
    monkeypatch.chdir(folder)
    shown = CliRunner().invoke(app, ["train", "regressor", "--config", str(run / "best.toml"), "--cv", "1"])
    assert shown.stderr == "error: --cv 1: the number of folds must be from 2 to 100; 5 is usual\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--slice", "town"], "there is no column 'town' to slice by; the columns are a, b, city"),
        (["--sweep", "-1"], "--sweep -1: the number of trials must be from 1 to 10,000"),
        (["--cv", "200"], "--cv 200: the number of folds must be from 2 to 100; 5 is usual"),
        (["--cv", "5", "--on", "local"], "--cv runs here only: leave out --cv, or --on"),
        (["--nodes", "4"], "--nodes is for a job: leave it out, or add --on local or --on batch"),
        (["-f"], "--follow is for a job: leave it out, or add --on local or --on batch"),
        (
            ["--out", "mine", "--on", "local"],
            "--out is for no job, which keeps its results beside its record: leave out --out, or --on",
        ),
        (
            ["--checkpoints", "mine", "--on", "batch"],
            "--checkpoints is for no job, which keeps its checkpoints beside its record: leave out "
            "--checkpoints, or --on",
        ),
        (
            ["--resume", "--on", "local"],
            "--resume is for no job, which goes on by itself when it was interrupted: leave out --resume, "
            "or --on",
        ),
    ],
)
def test_bad_options_are_told_before_anything_is_trained(
    options: list[str], message: str, tmp_path: Path
) -> None:
    data = write_table(tmp_path / "plane.csv")
    arguments = [
        "train",
        "regressor",
        "--data",
        str(data),
        "--set=ignore=city",
        "--state",
        str(tmp_path / "s"),
    ]
    failed = CliRunner().invoke(app, [*arguments, *options])
    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-1] == f"error: {message}"
    assert not (tmp_path / "s" / "runs").exists() or not list((tmp_path / "s" / "runs").iterdir())
    assert not (tmp_path / "s" / "jobs").exists()
