"""Which settings learn best: trials by Optuna, each judged on the validation rows; the test part stays shut.

Trials are kept in an SQLite file as they end, so a sweep that was killed loses at most the trial that ran.
"""

import fcntl
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coldpress_build.config import shown
from coldpress_build.data.split import Parts
from coldpress_build.engine import Epoch, train
from coldpress_build.errors import BuildError, ConfigurationError
from coldpress_build.progress import Progress
from coldpress_build.recipes.recipe import Recipe
from coldpress_build.search import Choice

if TYPE_CHECKING:
    import optuna

UNPRUNED = 5
"""Trials that are never stopped early: the median of fewer says little."""
MOST = 10_000


@dataclass(frozen=True)
class Plan:
    """A sweep that is asked for. `fixed`: settings that are not searched; `folder` keeps trials for later."""

    trials: int
    folder: Path
    fixed: Collection[str] = ()

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a number of trials that cannot be."""
        if not 1 <= self.trials <= MOST:
            raise ConfigurationError(
                f"--sweep {self.trials}: the number of trials must be from 1 to {MOST:,}"
            )


@dataclass(frozen=True)
class Trial:
    """`state` is "complete", "pruned" (stopped early: worse than the median at that epoch) or "failed".

    `loss` is the best epoch's on the validation rows; of a pruned trial that of its last epoch.
    """

    number: int
    state: str
    loss: float | None
    epochs: int
    settings: Mapping[str, Any]
    reason: str = ""

    @property
    def words(self) -> str:
        """The settings as one writes them."""
        values = {name: f"{v:.3g}" if isinstance(v, float) else shown(v) for name, v in self.settings.items()}
        return ", ".join(f"{name}={value}" for name, value in values.items())


@dataclass(frozen=True)
class Sweep:
    """`best` is of the lowest validation loss. `importance` of each setting, 0 to 1: how much of the
    difference in loss between trials it explains (fANOVA, F. Hutter et al., ICML 2014); empty where the
    trials are too few or all alike. `space` says what was searched; `study` is Optuna's file."""

    trials: tuple[Trial, ...]
    best: Trial
    space: Mapping[str, str]
    importance: Mapping[str, float]
    study: Path

    def summary(self) -> str:
        """In one line."""
        states = [trial.state for trial in self.trials]
        told = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"{told}; best is trial {self.best.number}, loss {self.best.loss:.4f}: {self.best.words}"


def as_toml(found: Sweep, config: Any) -> str:
    """All settings of `config` as a file that `--config` takes."""
    lines = [
        f"# {line}" for line in (f"Settings of the best of {len(found.trials)} trials.", found.best.words)
    ]
    # The strings, numbers and lists of JSON are those of TOML.
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in asdict(config).items()]
    return "\n".join(lines) + "\n"


def sweep(kind: Recipe, parts: Parts, config: Any, plan: Plan, progress: Progress) -> tuple[Sweep, Any]:
    """Try settings of `config.space` until there are `plan.trials` of them.

    Each trial is one fit on the training part. Those of an earlier, same sweep count; same means: the recipe,
    the rows, the other settings and the space.

    Returns:
        What was found, and `config` with the best settings.

    Raises:
        ConfigurationError: nothing is left to search.
        BuildError: another process does the same sweep now, or no trial came to an end.
    """
    space = {name: choice for name, choice in config.space.items() if name not in plan.fixed}
    if not space:
        known = ", ".join(config.space) or "nothing"
        raise ConfigurationError(f"nothing is left to --sweep: {kind.name} searches {known}, and all are set")
    # The test part is not even handed on.
    parts = Parts(parts.train, parts.validation, parts.test.take([]))
    name = f"{kind.name}-{_digest(parts, config, space)}"
    path = plan.folder / f"{name}.sqlite"
    with _alone(path), _study(name, path, config.seed) as study:
        for _ in range(plan.trials - len(_ended(study))):
            _try(study, kind, parts, config, space, plan.trials, progress)
        found = _found(study, space, path)
    return found, replace(config, **found.best.settings)


def _digest(parts: Parts, config: Any, space: Mapping[str, Choice]) -> str:
    others = {name: value for name, value in asdict(config).items() if name not in space}
    said = [parts.train.fingerprint, parts.validation.fingerprint, others]
    said.append({name: str(choice) for name, choice in space.items()})
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two processes would count each other's running trials as lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError(
                f"another process does this sweep now ({path}); wait for it, or stop it"
            ) from None
        yield


@contextmanager
def _study(name: str, path: Path, seed: int) -> Iterator["optuna.Study"]:
    # A second to import: only for who sweeps.
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 30}})
    try:
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            direction="minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=2),
        )
        # Continued with another seed: the same one would draw the same first trials again.
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
        for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        yield study
    finally:
        storage.engine.dispose()
        optuna.logging.set_verbosity(verbosity)


def _try(
    study: "optuna.Study",
    kind: Recipe,
    parts: Parts,
    config: Any,
    space: Mapping[str, Choice],
    count: int,
    progress: Progress,
) -> None:
    """One trial, however it ends."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    done = len(_ended(study))
    trial = study.ask()
    settings = replace(
        config, restarts=1, **{name: choice.draw(name, trial) for name, choice in space.items()}
    )
    epochs = 0

    def watch(epoch: Epoch) -> None:
        nonlocal epochs
        epochs = epoch.number
        trial.report(epoch.validation_loss, epoch.number)
        if trial.should_prune():
            raise TrialPruned

    state, loss, reason = TrialState.COMPLETE, None, ""
    with progress.part(f"trial {done + 1} of {count}", done / count):
        try:
            trained = train(kind.prepare(parts, settings), parts, settings, progress, watch=watch)
            loss = trained.chosen.best.validation_loss
        except TrialPruned:
            state = TrialState.PRUNED
        except BuildError as error:
            # Settings that diverge are an answer too: these are bad.
            state, reason = TrialState.FAIL, str(error)
    trial.set_user_attr("epochs", epochs)
    trial.set_user_attr("reason", reason)
    study.tell(trial, loss, state=state)


def _ended(study: "optuna.Study") -> list["optuna.trial.FrozenTrial"]:
    """Trials that came to an end of their own; one whose process was killed has no `reason`."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and "reason" in trial.user_attrs
    ]


def _found(study: "optuna.Study", space: Mapping[str, Choice], path: Path) -> Sweep:
    trials = tuple(_trial(one, space) for one in _ended(study))
    complete = [trial for trial in trials if trial.loss is not None and trial.state == "complete"]
    if not complete:
        reason = next((trial.reason for trial in trials if trial.reason), "all were stopped early")
        raise BuildError(f"none of {len(trials)} trials came to an end; the first: {reason}")
    best = min(complete, key=lambda trial: trial.loss or 0.0)
    told = {name: str(choice) for name, choice in space.items()}
    return Sweep(trials, best, told, _importance(study, len(complete)), path)


def _trial(one: "optuna.trial.FrozenTrial", space: Mapping[str, Choice]) -> Trial:
    states = {"COMPLETE": "complete", "PRUNED": "pruned"}
    reported = one.intermediate_values
    last = reported[max(reported)] if reported else None
    return Trial(
        one.number,
        states.get(one.state.name, "failed"),
        one.value if one.value is not None else last,
        one.user_attrs["epochs"],
        {name: space[name].read(kept) for name, kept in one.params.items()},
        one.user_attrs["reason"],
    )


def _importance(study: "optuna.Study", complete: int) -> dict[str, float]:
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    if complete < 4:
        return {}
    try:
        found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
        return {name: float(share) for name, share in found.items()}
    except (RuntimeError, ValueError):
        # All trials have the same loss: nothing explains a difference that there is not.
        return {}
