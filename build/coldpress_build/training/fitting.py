"""A fit under way: everything that changes from step to step, and how it is kept and brought back."""

import copy
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from coldpress_build.data.batches import Batches
from coldpress_build.errors import BuildError, ConfigurationError
from coldpress_build.training import randomness, state
from coldpress_build.training.average import Average, tensors
from coldpress_build.training.losses import Loss
from coldpress_build.training.optimisers import Schedule, optimiser
from coldpress_build.training.order import Order
from coldpress_build.training.processes import World, exchanging, spread
from coldpress_build.training.results import Epoch
from coldpress_build.training.settings import Training
from coldpress_build.training.stopping import Stop

VALIDATION_ROWS = 256
"""Of a batch, at least: nothing is learned there, so that larger ones are only faster."""
CHECKED_STEPS = 16
"""A GPU is asked whether the loss is finite so seldom: each question waits until it has caught up."""


class Fitting:
    """`network` with its optimiser, schedule, average, order of the rows, and how far they have come."""

    def __init__(
        self,
        network: nn.Module,
        train: Batches,
        validation: Batches,
        how: Training,
        seed: int,
        classes: int,
        world: World,
        loss: Loss | None = None,
    ) -> None:
        """Raises `ConfigurationError` for settings that do not suit the task or the device."""
        if how.precision == "fp16" and world.device.type == "cpu":
            raise ConfigurationError(
                "precision=fp16 needs a GPU: a CPU computes float16 slower than float32, and torch scales no "
                "gradients there, so that small ones are lost; use precision=bf16 or precision=32"
            )
        self.how, self.seed, self.world = how, seed, world
        self._train, self._validation = train, validation
        self._loss = loss or Loss.of(how, classes, train.target)
        self.signature = state.signature(network, how, seed, len(train))
        # Dividing a network changes what it is: the caller's stays, and gets the best weights in the end.
        divided = how.strategy == "fsdp" and world.size > 1
        self.network = (copy.deepcopy(network) if divided else network).to(world.device)
        self._spread = spread(self.network, how.strategy, world)
        self._call = torch.compile(self._spread) if how.compile else self._spread
        self._order = Order(len(train), how.batch_size, how.accumulate, world.rank, world.size)
        rows = max(how.batch_size, VALIDATION_ROWS)
        self._validation_order = Order(len(validation), rows, 1, world.rank, world.size)
        self._optimiser = optimiser(self.network.parameters(), how)
        self._scaler = torch.amp.GradScaler(world.device.type, enabled=how.precision == "fp16")
        self._schedule = Schedule(self._optimiser, how, self._order.steps)
        self._average = Average(self.network, how.average)
        self.epochs: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        """The weights of the best epoch, whole, on the CPU."""
        self.steps = 0
        self._done = 0  # steps of this epoch
        self._losses = torch.zeros(
            2, dtype=torch.float64, device=world.device
        )  # their sum over rows, and the rows

    @property
    def epoch(self) -> int:
        """The one that is under way; the first is 1."""
        return len(self.epochs) + 1

    @property
    def finished(self) -> bool:
        """All epochs done, or none better for too long."""
        if not self.epochs:
            return False
        best = min(self.epochs, key=lambda epoch: epoch.validation_loss)
        return len(self.epochs) >= self.how.epochs or len(self.epochs) - best.number >= self.how.patience

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return self._schedule.rate

    def remaining(self) -> Iterator[list[int]]:
        """The rows of each step that this epoch still has."""
        yield from self._order.epoch(self.seed, self.epoch)[self._done :]

    def step(self, rows: list[int]) -> None:
        """One step of the optimiser, from `rows`, the same in every process.

        Raises:
            BuildError: the loss is not finite any more.
        """
        if not self._spread.training:
            self._spread.train()
        pieces = self._order.pieces(rows)
        for number, piece in enumerate(pieces, 1):
            with exchanging(self._spread, wanted=number == len(pieces)):
                losses = self._losses_of(self._train, piece.rows)[0]
                total = losses.sum() if piece.counted else losses.sum() * 0.0
                # Each process has the gradient of its share of the mean; what they exchange is an average.
                scaled = self._scaler.scale(total * (self.world.size / len(rows)))
                scaled.backward()  # type: ignore[no-untyped-call]
            self._losses[0] += total.detach()
            self._losses[1] += piece.counted
        self._scaler.unscale_(self._optimiser)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.how.clip)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._optimiser.zero_grad()
        self._schedule.stepped()
        if self.how.average:
            self._average.update()
        self.steps += 1
        self._done += 1
        if self.world.device.type == "cpu" or self.steps % CHECKED_STEPS == 0:
            self.check()

    def check(self) -> None:
        """Raises `BuildError` when the loss is not finite any more."""
        self._finite(self._losses[0].item(), "training")

    def training_loss(self) -> float:
        """The mean over the rows of this epoch so far, in this process."""
        total, rows = self._losses.tolist()
        return float(total / max(rows, 1.0))

    def validate(self, stop: Stop) -> Epoch | None:
        """End the epoch with the averaged weights on the validation rows; None where `stop` came first.

        Raises:
            BuildError: a loss is not finite any more.
        """
        self.check()
        sums = self._validated(stop)
        if sums is None:
            return None
        totals = self.world.total(torch.stack([*sums.values()]))
        found = dict(zip(sums, totals.tolist(), strict=True))
        rows = found.pop("rows")
        means = {name: value / rows for name, value in found.items()}
        loss = means.pop("loss")
        self._finite(loss, "validation")
        trained, read = self.world.total(self._losses).tolist()
        rate = self.rate
        self._schedule.validated(loss)
        epoch = Epoch(self.epoch, trained / read, loss, self._loss.metrics(means), self.steps, rate)
        if all(loss < other.validation_loss for other in self.epochs):
            self.best = self._kept_weights()
        self.epochs.append(epoch)
        self._done = 0
        self._losses.zero_()
        return epoch

    @torch.no_grad()
    def _validated(self, stop: Stop) -> dict[str, Tensor] | None:
        """Sums over this process's rows, with the averaged weights."""
        self._spread.eval()
        sums: dict[str, Tensor] = {}
        with self._averaged():
            for batch in self._validation_order.in_order():
                if stop.wanted and self.world.size == 1:
                    return None
                for piece in self._validation_order.pieces(batch):
                    losses, answer, target = self._losses_of(self._validation, piece.rows)
                    figures = {"loss": losses.double(), "rows": torch.ones_like(losses, dtype=torch.float64)}
                    for name, values in (figures | self._loss.figures(answer, target)).items():
                        sums[name] = sums.get(name, 0.0) + values[: piece.counted].sum()
        return sums

    def _averaged(self) -> Any:
        return self._average.applied()

    def _kept_weights(self) -> dict[str, Tensor]:
        with self._averaged():
            return state.weights(self.network, tensors(self.network))

    def _losses_of(self, batches: Batches, rows: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Losses of the rows, the network's answer and the target."""
        device, lower = self.world.device, self.how.precision != "32"
        inputs, target = batches[rows]
        inputs = tuple(tensor.to(device, non_blocking=True) for tensor in inputs)
        target = target.to(device, non_blocking=True)
        kind = torch.float16 if self.how.precision == "fp16" else torch.bfloat16
        with torch.autocast(device.type, kind, enabled=lower):
            answer = self._call(*inputs)
        return self._loss.rows(answer, target), answer, target

    def _finite(self, loss: float, part: str) -> None:
        if not math.isfinite(loss):
            raise BuildError(
                f"the {part} loss became {loss} in epoch {self.epoch}; lower learning_rate "
                f"(it is {self.how.learning_rate}) or clip (it is {self.how.clip})"
            )

    # ------------------------------------------------------------------ checkpoints
    def state(self, seconds: float) -> dict[str, Any]:
        """All of it, `seconds` into the fit. Every process must take part; what each gets is the same."""
        self.check()
        return {
            "signature": self.signature,
            "epochs": [vars(epoch) | {"metrics": dict(epoch.metrics)} for epoch in self.epochs],
            "best": self.best,
            "steps": self.steps,
            "done": self._done,
            "losses": self.world.total(self._losses.clone()).cpu(),
            "weights": state.weights(self.network, tensors(self.network)),
            "average": state.weights(self.network, self._average.kept),
            "averaged steps": self._average.steps,
            "optimiser": state.optimiser_state(self.network, self._optimiser),
            "schedule": self._schedule.state(),
            "scaler": self._scaler.state_dict(),
            "random": self.world.gathered(randomness.state()),
            "seconds": seconds,
        }

    def restore(self, kept: dict[str, Any], where: str) -> None:
        """Go on from there. Raises `BuildError` when it is another run's."""
        state.check(kept["signature"], self.signature, where)
        self.epochs = [Epoch(**epoch) for epoch in kept["epochs"]]
        self.best = kept["best"]
        self.steps, self._done = kept["steps"], kept["done"]
        if "weights" not in kept:
            return
        # The sum so far is one process's from now on; the others add to it.
        self._losses.copy_(kept["losses"] if self.world.first else torch.zeros_like(kept["losses"]))
        state.set_weights(self.network, tensors(self.network), kept["weights"])
        state.set_weights(self.network, self._average.kept, kept["average"])
        self._average.steps = kept["averaged steps"]
        state.set_optimiser_state(self.network, self._optimiser, kept["optimiser"])
        self._schedule.restore(kept["schedule"])
        self._scaler.load_state_dict(kept["scaler"])
        if len(kept["random"]) == self.world.size:
            randomness.restore(kept["random"][self.world.rank])

    def outcome(self, seconds: float) -> dict[str, Any]:
        """What a finished fit leaves: nothing to go on with."""
        whole = {"signature", "epochs", "best", "steps", "done"}
        return {name: value for name, value in self.state(seconds).items() if name in whole} | {
            "seconds": seconds
        }
