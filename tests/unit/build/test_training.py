"""The parts of the training engine: settings, order of the rows, losses, schedules, what goes on."""

import math
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from coldpress.jobs import RETRY_EXIT
from coldpress_build.checkpoints import Checkpoints
from coldpress_build.data.batches import Batches
from coldpress_build.engine import Epoch, Fit, Training, fit
from coldpress_build.errors import BuildError, ConfigurationError
from coldpress_build.progress import Progress
from coldpress_build.training import processes, stopping
from coldpress_build.training.losses import Loss
from coldpress_build.training.optimisers import share_of
from coldpress_build.training.order import Order
from coldpress_build.training.resuming import own
from coldpress_build.training.stopping import Interrupted, asked, interruptible
from coldpress_build.training.tracking.tracker import NOWHERE, Tracker, Watching

POINTS = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
ROWS = Batches(POINTS, (POINTS[:, 0] > 0).long())
HOW: dict[str, Any] = {"epochs": 2, "batch_size": 10, "checkpoint_seconds": 0}


def fitted(
    network: nn.Module | None = None,
    rows: Batches = ROWS,
    classes: int = 2,
    checkpoints: Checkpoints | None = None,
    tracker: Tracker = NOWHERE,
    **changes: Any,
) -> tuple[Fit, nn.Module]:
    torch.manual_seed(0)
    network = network or nn.Linear(2, 2)
    how = Training(**HOW | changes)
    quiet = Progress(silent=True)
    return fit(
        network, rows, rows, how, 0, quiet, classes=classes, checkpoints=checkpoints, tracker=tracker
    ), network


# ---------------------------------------------------------------------- settings
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"optimiser": "adamx"},
            r"optimiser=adamx is unknown; it is one of adamw, adam, rmsprop, momentum, sgd",
        ),
        ({"schedule": "cosinus"}, "schedule=cosinus is unknown"),
        ({"precision": "64"}, "precision=64 is unknown; it is one of 32, bf16, fp16"),
        ({"accumulate": 0}, "accumulate=0 must be from 1 to 100000"),
        ({"warm_up": 0.1, "schedule": "plateau"}, "warm_up=0.1 and schedule=plateau do not go together"),
        ({"drop": 1.0, "schedule": "plateau"}, "drop=1.0 and schedule=plateau do not go together"),
        (
            {"precision": "fp16", "strategy": "fsdp"},
            "precision=fp16 is not for strategy=fsdp; use precision=bf16",
        ),
    ],
)
def test_settings_that_cannot_be_are_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Training(**changes)


@pytest.mark.parametrize(
    ("changes", "classes", "message"),
    [
        ({"precision": "fp16"}, 2, "precision=fp16 needs a GPU: .* use precision=bf16"),
        ({"device": "cuda"}, 2, "device=cuda: torch finds no GPU here"),
        ({"loss": "bce"}, 3, "loss=bce needs two classes; the target has 3 classes: use loss=auto"),
        ({"loss": "mse"}, 2, "loss=mse needs a target of values; the target has 2 classes"),
        ({"loss": "bce"}, 0, "loss=bce needs two classes; the target has values"),
        ({"class_weights": "balanced"}, 0, "class_weights=balanced needs a target of classes"),
    ],
)
def test_settings_for_another_task_or_machine_are_told(
    changes: dict[str, Any], classes: int, message: str
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ConfigurationError, match=message):
        fitted(classes=classes, **changes)


# ---------------------------------------------------------------------- order
@pytest.mark.parametrize("size", [1, 2, 3])
def test_processes_share_each_step_without_gaps_and_duplicates(size: int) -> None:
    orders = [Order(50, 4, 2, rank, size) for rank in range(size)]
    steps = orders[0].epoch(7, 1)
    assert all(order.epoch(7, 1) == steps for order in orders)
    assert sorted(row for step in steps for row in step) == [*range(50)]
    assert len(steps) == orders[0].steps
    for step in steps:
        pieces = [piece for order in orders for piece in order.pieces(step)]
        assert sorted(row for piece in pieces for row in piece.rows[: piece.counted]) == sorted(step)
        assert len({len(order.pieces(step)) for order in orders}) == 1


def test_each_epoch_and_seed_has_an_order_of_its_own() -> None:
    order = Order(50, 4)
    assert order.epoch(0, 1) != order.epoch(0, 2) != order.epoch(1, 2)
    assert order.epoch(0, 1) == order.epoch(0, 1)


def test_no_step_has_a_single_row() -> None:
    assert [len(step) for step in Order(9, 4).epoch(0, 1)] == [4, 5]
    assert [len(step) for step in Order(10, 4).epoch(0, 1)] == [4, 4, 2]
    assert [len(step) for step in Order(1, 4).epoch(0, 1)] == [1]


def test_a_process_without_a_row_computes_one_that_does_not_count() -> None:
    (piece,) = Order(2, 8, 1, rank=2, size=3).pieces([5, 4])
    assert (piece.rows, piece.counted) == ([5], 0)


# ---------------------------------------------------------------------- losses
def test_class_weights_count_every_class_the_same() -> None:
    target = torch.tensor([0, 0, 0, 1])
    logits = torch.tensor([[1.0, 0.0]]).expand(4, 2)
    balanced = Loss.of(Training(class_weights="balanced"), 2, target)
    assert balanced.weights is not None
    assert balanced.weights.tolist() == pytest.approx([2 / 3, 2.0])
    expected = cross_entropy(logits, target, weight=balanced.weights)
    assert balanced.rows(logits, target).mean().item() == pytest.approx(expected.item())


def test_one_logit_will_do_for_two_classes() -> None:
    target = torch.tensor([0, 1, 1])
    loss = Loss.of(Training(loss="bce"), 2, target)
    one, two = torch.tensor([[-1.0], [2.0], [-3.0]]), torch.tensor([[0.5, -0.5], [0.0, 2.0], [3.0, 0.0]])
    assert torch.allclose(loss.rows(one, target), loss.rows(two, target))
    assert torch.allclose(loss.rows(one[:, 0], target), loss.rows(one, target))
    for answer in (one, two):
        assert loss.figures(answer, target)["right"].tolist() == [1, 1, 0]


def test_values_are_judged_by_their_variance() -> None:
    rows = Batches(POINTS, POINTS[:, 0] * 2 + 1)
    run, network = fitted(
        nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)),
        rows,
        classes=0,
        epochs=30,
        learning_rate=0.1,
        patience=30,
    )
    with torch.no_grad():
        error = (network(POINTS) - rows.target).square().mean().item()
    assert run.best.validation_loss == pytest.approx(error, rel=1e-4)
    variance = rows.target.var(unbiased=False).item()
    assert run.best.metrics == {"R²": pytest.approx(1 - error / variance, abs=1e-4)}
    assert run.best.metrics["R²"] > 0.9


# ---------------------------------------------------------------------- schedules
@pytest.mark.parametrize(
    ("changes", "shares"),
    [
        ({}, {0: 1, 39: 1}),
        ({"schedule": "cosine"}, {0: 1, 20: 0.5, 30: (1 + math.cos(0.75 * math.pi)) / 2, 40: 0}),
        ({"schedule": "linear", "warm_up": 0.25}, {0: 0.1, 9: 1, 10: 1, 25: 0.5, 40: 0}),
        ({"schedule": "step", "drop_epochs": 2, "drop": 0.5}, {0: 1, 19: 1, 20: 0.5, 39: 0.5}),
    ],
)
def test_shares_of_the_learning_rate(changes: dict[str, Any], shares: dict[int, float]) -> None:
    share = share_of(Training(epochs=4, **changes), 10)
    assert {step: share(step) for step in shares} == pytest.approx(shares)


def test_epochs_tell_their_step_and_rate() -> None:
    run, _ = fitted(schedule="linear", learning_rate=0.1)
    assert [(epoch.step, epoch.learning_rate) for epoch in run.epochs] == [
        (6, pytest.approx(0.05)),
        (12, 0.0),
    ]


# ---------------------------------------------------------------------- other ways to compute
def test_compiled_it_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # All of torch.compile but the compiler at its end, which takes a minute; tests/gpu has that too.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    plain, _ = fitted()
    compiled, network = fitted(compile=True)
    assert compiled.epochs == plain.epochs
    assert type(network) is nn.Linear


def test_a_network_that_cannot_be_compiled_is_told_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise OSError("there is no C++ compiler")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=broken))
    with pytest.raises(
        BuildError, match=r"torch.compile failed: .*there is no C\+\+ compiler.*; set compile=false"
    ):
        fitted(nn.Sequential(nn.Linear(2, 7), nn.Tanh(), nn.Linear(7, 2)), compile=True)


# ---------------------------------------------------------------------- going on
class Enough(Exception):
    """One epoch is over."""


def enough(_: Epoch) -> None:
    raise Enough


class Ends(nn.Linear):
    """Asks its own process to end, at a forward pass."""

    def __init__(self, call: int) -> None:
        super().__init__(2, 2)
        self.calls_left = call

    def forward(self, points: Tensor) -> Tensor:
        self.calls_left -= 1
        if self.calls_left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().forward(points)


@pytest.mark.parametrize("call", [1, 6, 7, 9, 14])
def test_sigterm_keeps_the_moment_even_within_a_validation(call: int, tmp_path: Path) -> None:
    whole, expected = fitted(nn.Linear(2, 2))
    kept = Checkpoints(f"file://{tmp_path}", "fit")
    with pytest.raises(
        Interrupted, match=r"stopped by SIGTERM in epoch [12]; file://.*/fit has a checkpoint"
    ) as end:
        fitted(Ends(call), checkpoints=kept)
    assert end.value.exit_status == RETRY_EXIT == 75
    resumed, network = fitted(nn.Linear(2, 2), checkpoints=Checkpoints(f"file://{tmp_path}", "fit"))
    assert resumed.epochs == whole.epochs
    assert torch.equal(network.weight, expected.weight)  # type: ignore[arg-type]


def _asked_too_late() -> None:
    with interruptible("come again"):
        with asked() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert stop.wanted
        pytest.fail("went on")


def _asked_within_a_tool() -> None:
    with interruptible("come again"):
        try:
            signal.raise_signal(signal.SIGTERM)
        except Exception as error:
            pytest.fail(f"taken for the tool's own: {error}")
        pytest.fail("went on")


def _asked_within_a_finaliser() -> None:
    class Closes:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    with interruptible("come again"):
        Closes()
        time.sleep(60)
        pytest.fail("went on")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("lose", [_asked_too_late, _asked_within_a_tool, _asked_within_a_finaliser])
def test_a_sigterm_is_never_lost(lose: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was sent to could take longer than the 30 s until SIGKILL."""
    monkeypatch.setattr(stopping, "REMIND_SECONDS", 0.05)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="stopped by SIGTERM; come again"):
        lose()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_finished_fit_is_not_fitted_again(tmp_path: Path) -> None:
    done, expected = fitted(checkpoints=Checkpoints(f"file://{tmp_path}", "fit"))
    told: list[int] = []
    again, network = fitted(
        Ends(1),
        checkpoints=Checkpoints(f"file://{tmp_path}", "fit"),
        tracker=Watching(lambda e: told.append(e.number)),
    )
    assert again.epochs == done.epochs
    assert told == [1, 2]
    assert torch.equal(network.weight, expected.weight)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "network", "message"),
    [
        ({"learning_rate": 0.5}, nn.Linear(2, 2), r"settings: learning_rate was 0.003, and is 0.5"),
        ({}, nn.Linear(2, 2, bias=False), r"weights: bias was \[2\], and is None"),
        (
            {"rows": Batches(POINTS[:30], ROWS.target[:30])},
            nn.Linear(2, 2),
            r"training rows was 60, and is 30",
        ),
    ],
)
def test_the_checkpoint_of_another_run_is_refused_and_stays(
    changes: dict[str, Any], network: nn.Module, message: str, tmp_path: Path
) -> None:
    kept = Checkpoints(f"file://{tmp_path}", "fit")
    with pytest.raises(Enough):
        fitted(checkpoints=kept, tracker=Watching(enough), checkpoint_steps=2)
    before = kept.latest()
    with pytest.raises(BuildError, match=f"is another run's \\({message}\\); use the same recipe"):
        fitted(network, checkpoints=kept, checkpoint_steps=2, **changes)
    assert kept.latest() == before


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    kept = Checkpoints(f"file://{tmp_path}", "fit")
    kept.save(1, b"PK\x03\x04 no such thing")
    with pytest.raises(BuildError, match="fit holds no checkpoint"):
        fitted(checkpoints=kept)


def test_a_loss_that_is_no_number_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    class Poisoned(Batches):
        def __getitem__(self, rows: list[int]) -> Any:
            inputs, target = super().__getitem__(rows)
            self.left = getattr(self, "left", 4) - 1
            return (inputs[0] if self.left else inputs[0] * float("nan"),), target

    kept = Checkpoints(f"file://{tmp_path}", "fit")
    with pytest.raises(BuildError, match="training loss became nan in epoch 1; lower learning_rate"):
        fitted(rows=Poisoned(POINTS, ROWS.target), checkpoints=kept, checkpoint_steps=1)
    kept_steps = sorted(path.name[:9] for path in (tmp_path / "fit").glob("*.pt"))
    assert kept_steps == [
        "000000002",
        "000000003",
    ]


def test_settings_that_change_nothing_may_be_others(tmp_path: Path) -> None:
    whole, _ = fitted()
    kept = Checkpoints(f"file://{tmp_path}", "fit")
    with pytest.raises(Enough):
        fitted(checkpoints=kept, tracker=Watching(enough), checkpoint_steps=2)
    resumed, _ = fitted(checkpoints=kept, threads=2, checkpoint_steps=3)
    assert resumed.epochs == whole.epochs


def test_a_run_finds_its_own_checkpoints_and_is_told_of_others(tmp_path: Path) -> None:
    place = Checkpoints(f"file://{tmp_path}")
    how = Training(**HOW)
    mine = own(place, "some-recipe", how, "data@1")
    assert own(place, "some-recipe", Training(**HOW | {"threads": 2}), "data@1").where == mine.where
    fitted(checkpoints=mine.within("seed-0"))
    assert own(place, "some-recipe", how, "data@1").where == mine.where
    with pytest.raises(BuildError, match="are not of this run: epochs was 2 and is 3; give the same recipe"):
        own(place, "some-recipe", Training(**HOW | {"epochs": 3}), "data@1")
    with pytest.raises(BuildError, match="are not of this run: the data is another;"):
        own(place, "some-recipe", how, "data@2")
    with pytest.raises(BuildError, match="are not of this run: they are of some-recipe-"):
        own(place, "other-recipe", how, "data@1")
    fresh = own(Checkpoints(place.store_url, resume=False), "other-recipe", how, "data@1")
    assert fresh.latest() is None


# ---------------------------------------------------------------------- one process
def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    with processes.together("cpu") as world:
        assert (world.rank, world.size, world.first) == (0, 1, True)
        assert world.largest([1, 2]) == [1, 2]
        assert world.gathered("mine") == ["mine"]
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("RANK", "1")
    assert processes.launched()
    assert not processes.first()
