"""The training loop: Lightning's Trainer with the choices every recipe shares."""

import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from coldpress_build.config import one_of, within
from coldpress_build.data.batches import Batch, Batches
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.errors import BuildError
from coldpress_build.progress import Progress
from coldpress_build.quiet import quiet

if TYPE_CHECKING:
    from coldpress_build.recipes.recipe import Prepared

MONITORED = "validation_loss"


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is fitted; a recipe's settings are these and its own."""

    epochs: int = 20
    """At most."""
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    average: float = 0.99
    """Decay of the moving average of the weights, which is what is validated and kept."""
    patience: int = 3
    """Epochs without a better validation loss before it ends."""
    clip: float = 1.0
    """Largest norm of a step's gradient."""
    threads: int = 1
    """On a CPU. A step of a small network takes 4 ms on one thread; two, on a machine whose cores are busy,
    wait for each other and took 60 ms."""
    class_weights: str = "none"
    """"balanced": rare classes count as much as common ones in the training loss."""

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a value out of range."""
        within(self, 1, 100_000, "epochs", "batch_size", "patience")
        within(self, 1e-7, 100.0, "learning_rate", "clip")
        within(self, 0.0, 10.0, "weight_decay")
        within(self, 0.0, 0.9999, "average")
        within(self, 1, 256, "threads")
        one_of(self, "class_weights", ("none", "balanced"))


@dataclass(frozen=True)
class Epoch:
    """Mean losses (cross-entropy in nats; or the squared error, where a regression's target has the variance
    1) and what else was measured on the validation rows: "accuracy" (share that is right) or "R²"."""

    number: int
    train_loss: float
    validation_loss: float
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Fit:
    """One training run. The network has the weights of `best`."""

    seed: int
    best: Epoch
    epochs: tuple[Epoch, ...]
    seconds: float


@dataclass(frozen=True)
class Trained:
    """A fitted network. `fits` holds every run, `chosen` is the one that `network` is of."""

    fits: tuple[Fit, ...]
    chosen: Fit
    parameters: int
    network: nn.Module
    prepared: "Prepared"

    def scores(self, data: Dataset) -> NDArray[np.float32]:
        """What the training framework answers: scores [rows, classes] that sum to 1, or values [rows]."""
        batches = self.prepared.batches(data).loader(256)
        with torch.inference_mode():
            answers = torch.cat([self.network(*inputs) for inputs, _ in batches])
            if data.classes:
                answers = answers.softmax(-1)
            else:
                answers = answers * self.prepared.factor + self.prepared.shift
        return np.asarray(answers.numpy(), np.float32)


def train(
    prepared: "Prepared",
    parts: Parts,
    config: Any,
    progress: Progress,
    checkpoints: Any = None,  # noqa: ARG001 - kept by the engine that follows this one
) -> Trained:
    """Fit `config.restarts` networks and keep the one with the lowest validation loss.

    `config` is a recipe's (`recipes.settings.Settings`). The test part is not looked at.

    Raises:
        BuildError: see `fit`.
    """
    rows, validation = prepared.batches(parts.train), prepared.batches(parts.validation)
    classes = len(parts.train.classes)
    runs: list[tuple[Fit, nn.Module]] = []
    with torch.random.fork_rng(devices=[]):
        for seed in range(config.seed, config.seed + config.restarts):
            torch.manual_seed(seed)
            network = prepared.build(1.0)
            done = fit(network, rows, validation, config, seed, progress, classes=classes)
            runs.append((done, network))
    chosen, network = min(runs, key=lambda run: run[0].best.validation_loss)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Trained(tuple(run for run, _ in runs), chosen, parameters, network, prepared)


def fit(
    network: nn.Module,
    train: Batches,
    validation: Batches,
    how: Training,
    seed: int,
    progress: Progress,
    *,
    classes: int,
) -> Fit:
    """Fit `network` in place; it ends with the averaged weights of its best epoch.

    `classes`: the network answers logits [batch, classes]; 0: values [batch].

    Raises:
        BuildError: the loss is not finite any more.
        KeyboardInterrupt: somebody pressed Ctrl-C.
    """
    started = perf_counter()
    module = _Module(network, how, validation, _weights(train.target, classes, how), classes)
    curve = _Curve(progress)
    with quiet(), _threads(how.threads), tempfile.TemporaryDirectory(prefix="coldpress-fit-") as folder:
        best = ModelCheckpoint(folder, monitor=MONITORED, enable_version_counter=False)
        trainer = _trainer(how, [EMAWeightAveraging(decay=how.average), best, curve], folder)
        batches = train.loader(how.batch_size, seed=seed)
        try:
            trainer.fit(module, batches, validation.loader(max(how.batch_size, 256)))
        except SystemExit as stop:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from stop
        checkpoint = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
    module.load_state_dict(checkpoint["state_dict"])
    network.cpu().eval()
    chosen = min(curve.epochs, key=lambda epoch: epoch.validation_loss)
    return Fit(seed, chosen, tuple(curve.epochs), perf_counter() - started)


def _weights(target: Tensor, classes: int, how: Training) -> Tensor | None:
    """Weights of the classes in the training loss, 1 on average over the rows."""
    if not classes or how.class_weights == "none":
        return None
    counts = torch.bincount(target, minlength=classes).clamp(min=1)
    return len(target) / (classes * counts.float())


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _trainer(how: Training, callbacks: list[Callback], folder: str) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=how.epochs,
        gradient_clip_val=how.clip,
        deterministic=True,
        # The losses that end a run early are checked by _Module, which can say what to change.
        callbacks=[*callbacks, EarlyStopping(MONITORED, patience=how.patience, check_finite=False)],
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


class _Module(lightning.LightningModule):
    def __init__(
        self, network: nn.Module, how: Training, validation: Batches, weights: Tensor | None, classes: int
    ) -> None:
        super().__init__()
        self.network = network
        self.how = how
        self.classes = classes
        self.variance = 0.0 if classes else float(validation.target.double().var(unbiased=False))
        self.weights: Tensor | None
        self.register_buffer("weights", weights, persistent=False)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        inputs, target = batch
        answer = self.network(*inputs)
        loss = cross_entropy(answer, target, self.weights) if self.classes else mse_loss(answer, target)
        self._check(loss, "training")
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(target))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        inputs, target = batch
        answer = self.network(*inputs)
        if self.classes:
            loss = cross_entropy(answer, target)
            figure = {"accuracy": (answer.argmax(1) == target).float().mean()}
        else:
            loss = mse_loss(answer, target)
            figure = {"R²": 1 - loss / self.variance}
        self._check(loss, "validation")
        self.log_dict({MONITORED: loss, **figure}, batch_size=len(target))

    def _check(self, loss: Tensor, part: str) -> None:
        if not math.isfinite(value := loss.item()):
            raise BuildError(
                f"the {part} loss became {value} in epoch {self.current_epoch + 1}; lower learning_rate "
                f"(it is {self.how.learning_rate}) or clip (it is {self.how.clip})"
            )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.parameters(), lr=self.how.learning_rate, weight_decay=self.how.weight_decay
        )


class _Curve(Callback):
    """Keeps and tells the figures of each epoch."""

    def __init__(self, progress: Progress) -> None:
        self.epochs: list[Epoch] = []
        self._progress = progress

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        figures: dict[str, Any] = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epoch = Epoch(
            pl_module.current_epoch + 1,
            figures["train_loss"],
            figures[MONITORED],
            {name: value for name, value in figures.items() if name not in ("train_loss", MONITORED)},
        )
        self.epochs.append(epoch)
        self._progress.tell(
            f"epoch {epoch.number} of at most {trainer.max_epochs}: validation loss "
            f"{epoch.validation_loss:.4f}"
            + "".join(f", {name} {value:.3f}" for name, value in epoch.metrics.items())
        )
