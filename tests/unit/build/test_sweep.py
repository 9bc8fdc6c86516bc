"""Sweeps: trials that are kept, pruned, continued, and never see the test part."""

import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

import pytest

from coldpress_build.config import from_file, override
from coldpress_build.errors import BuildError, ConfigurationError
from coldpress_build.progress import Progress
from coldpress_build.recipes import RECIPES, find
from coldpress_build.search import Choice, LogUniform, OneOf, Uniform
from coldpress_build.sweep import Plan, Sweep, _alone, as_toml, sweep

from ...support import toy
from ...support.toy import Config, Toy

SILENT = Progress(silent=True)


def swept(
    folder: Path, trials: int, fixed: tuple[str, ...] = (), config: Config | None = None
) -> tuple[Sweep, Config, Toy]:
    kind, config = Toy(), config or Config()
    parts = kind.split(kind.load(None, config), config)
    found, best = sweep(kind, parts, config, Plan(trials, folder, fixed), SILENT)
    return found, best, kind


def test_it_finds_better_settings_without_the_test_part(tmp_path: Path) -> None:
    found, best, kind = swept(tmp_path, 14)
    assert len(found.trials) == len(kind.seen) == 14
    complete = [trial for trial in found.trials if trial.state == "complete"]
    assert found.best.loss == min(trial.loss for trial in complete if trial.loss is not None)
    assert found.best.loss < 0.5 < max(trial.loss for trial in complete if trial.loss is not None)
    assert {name: getattr(best, name) for name in found.space} == found.best.settings
    assert (best.epochs, best.seed) == (4, 0)
    for parts in kind.seen:
        assert (len(parts.train), len(parts.validation), len(parts.test)) == (72, 24, 0)
    assert found.space == {
        "learning_rate": "0.0001 to 1, by its logarithm",
        "width": "one of 1 | 4",
        "weight_decay": "0 to 0.1",
    }
    assert sum(found.importance.values()) == pytest.approx(1)
    assert max(found.importance, key=lambda name: found.importance[name]) == "learning_rate"
    assert found.summary().endswith(f"loss {found.best.loss:.4f}: {found.best.words}")


def test_bad_trials_are_stopped_early(tmp_path: Path) -> None:
    found, *_ = swept(tmp_path, 20)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    assert all(2 <= trial.epochs < 4 for trial in pruned)  # one epoch is always let be
    assert min(trial.number for trial in pruned) >= 5


def test_what_is_set_is_not_searched(tmp_path: Path) -> None:
    found, best, _ = swept(tmp_path, 3, ("learning_rate", "epochs"))
    assert list(found.space) == ["width", "weight_decay"]
    assert best.learning_rate == 1e-4
    with pytest.raises(ConfigurationError, match="nothing is left to --sweep: toy searches learning_rate, w"):
        swept(tmp_path, 3, ("learning_rate", "width", "weight_decay"))


def test_a_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    first, *_ = swept(tmp_path, 4)
    again, _, kind = swept(tmp_path, 4)
    assert (again, kind.seen) == (first, [])
    more, _, kind = swept(tmp_path, 6)
    assert (more.trials[:4], len(more.trials), len(kind.seen)) == (first.trials, 6, 2)
    assert more.trials[4].settings != first.trials[0].settings
    # Other settings, rows or spaces make another sweep.
    other, _, kind = swept(tmp_path, 2, config=Config(epochs=2))
    assert (len(other.trials), len(kind.seen), other.study != first.study) == (2, 2, True)


def test_a_sweep_that_is_killed_loses_the_running_trial_only(tmp_path: Path) -> None:
    command = [sys.executable, toy.__file__, str(tmp_path), "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(4):
            assert process.stdout.readline() == "prepared\n"
        with pytest.raises(BuildError, match="another process does this sweep now"):
            swept(tmp_path, 5)
        process.send_signal(signal.SIGKILL)
    found, _, kind = swept(tmp_path, 5)
    assert [trial.number for trial in found.trials] == [0, 1, 2, 4, 5]
    assert len(kind.seen) == 2


def test_two_processes_do_not_share_a_sweep(tmp_path: Path) -> None:
    with _alone(tmp_path / "x.sqlite"), pytest.raises(BuildError), _alone(tmp_path / "x.sqlite"):
        pass
    with _alone(tmp_path / "x.sqlite"):
        pass


@dataclass(frozen=True, kw_only=True)
class Diverging(Config):
    """Half of it has no finite loss."""

    space: ClassVar[Mapping[str, Choice]] = {"poison": OneOf(0.0, 1.0)}
    epochs: int = 1


@dataclass(frozen=True, kw_only=True)
class Hopeless(Diverging):
    """All of it."""

    space: ClassVar[Mapping[str, Choice]] = {"poison": OneOf(1.0, 2.0)}


def test_settings_that_diverge_are_a_failed_trial(tmp_path: Path) -> None:
    found, best, _ = swept(tmp_path, 6, config=Diverging())
    states = {trial.settings["poison"]: trial.state for trial in found.trials}
    assert (states, best.poison) == ({0.0: "complete", 1.0: "failed"}, 0.0)
    failed = next(trial for trial in found.trials if trial.state == "failed")
    assert (failed.epochs, failed.loss) == (0, None)
    assert "loss became" in failed.reason


def test_when_all_trials_fail_the_error_has_the_first_reason(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"none of 2 trials came to an end; the first: the .* loss became"):
        swept(tmp_path, 2, config=Hopeless())


@pytest.mark.parametrize("trials", [0, -1, 10_001])
def test_a_number_of_trials_that_cannot_be_is_refused(trials: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"--sweep {trials}: "):
        Plan(trials, tmp_path)


def test_the_best_settings_are_a_file_for_config(tmp_path: Path) -> None:
    found, best, _ = swept(tmp_path, 2)
    (tmp_path / "best.toml").write_text(as_toml(found, best))
    assert override(Config, from_file(Config, tmp_path / "best.toml")) == best
    assert as_toml(found, best).startswith(f"# Settings of the best of 2 trials.\n# {found.best.words}\n")


@dataclass(frozen=True, kw_only=True)
class Listed(Config):
    """A list as a setting."""

    space: ClassVar[Mapping[str, Choice]] = {"layers": OneOf((), (8,), (8, 4))}
    epochs: int = 1


def test_lists_are_searched_too(tmp_path: Path) -> None:
    found, best, _ = swept(tmp_path, 4, config=Listed())
    assert {trial.settings["layers"] for trial in found.trials} <= {(), (8,), (8, 4)}
    assert best.layers == found.best.settings["layers"]
    (tmp_path / "best.toml").write_text(as_toml(found, best))
    assert override(Listed, from_file(Listed, tmp_path / "best.toml")) == best
    again, *_ = swept(tmp_path, 4, config=Listed())
    assert again == found


@pytest.mark.parametrize("name", RECIPES)
def test_all_of_each_recipes_space_is_allowed(name: str) -> None:
    kind = find(name).config
    known = {field.name for field in fields(kind)}
    assert kind.space
    for setting, choice in kind.space.items():
        assert setting in known
        # These divide the data: a trial with others would be judged on other rows.
        assert setting not in ("seed", "validation", "test", "max_rows", "restarts", "target")
        ends = choice.values if isinstance(choice, OneOf) else (choice.low, choice.high)
        for value in ends:
            kind(**{setting: value})


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        (Uniform(0, 0.5), "0 to 0.5"),
        (LogUniform(1e-4, 1), "0.0001 to 1, by its logarithm"),
        (OneOf("a", (1, 2)), "one of a | 1,2"),
    ],
)
def test_choices_tell_what_they_are(choice: Choice, text: str) -> None:
    assert re.fullmatch(re.escape(text), str(choice))
