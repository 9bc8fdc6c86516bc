"""The training loop: Lightning's Trainer with the choices every recipe shares."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from coldpress_build.config import within
from coldpress_build.data.batches import Batches
from coldpress_build.errors import BuildError
from coldpress_build.progress import Progress
from coldpress_build.quiet import quiet

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

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a value out of range."""
        within(self, 1, 100_000, "epochs", "batch_size", "patience")
        within(self, 1e-7, 100.0, "learning_rate", "clip")
        within(self, 0.0, 10.0, "weight_decay")
        within(self, 0.0, 0.9999, "average")
        within(self, 1, 256, "threads")


@dataclass(frozen=True)
class Epoch:
    """Mean losses (cross-entropy, nats) and the share of the validation rows that are right."""

    number: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Fit:
    """One training run. The network has the weights of `best`."""

    seed: int
    best: Epoch
    epochs: tuple[Epoch, ...]
    seconds: float


def fit(
    network: nn.Module, train: Batches, validation: Batches, how: Training, seed: int, progress: Progress
) -> Fit:
    """Fit `network` (inputs -> logits) in place; it ends with the averaged weights of its best epoch.

    Raises:
        BuildError: the loss is not finite any more.
        KeyboardInterrupt: somebody pressed Ctrl-C.
    """
    started = perf_counter()
    module = _Classifier(network, how)
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
        # The losses that end a run early are checked by _Classifier, which can say what to change.
        callbacks=[*callbacks, EarlyStopping(MONITORED, patience=how.patience, check_finite=False)],
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


class _Classifier(lightning.LightningModule):
    def __init__(self, network: nn.Module, how: Training) -> None:
        super().__init__()
        self.network = network
        self.how = how

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        inputs, labels = batch
        loss = cross_entropy(self.network(inputs), labels)
        self._check(loss, "training")
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        inputs, labels = batch
        logits = self.network(inputs)
        loss = cross_entropy(logits, labels)
        self._check(loss, "validation")
        right = (logits.argmax(1) == labels).float().mean()
        self.log_dict({MONITORED: loss, "validation_accuracy": right}, batch_size=len(labels))

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
            figures["validation_accuracy"],
        )
        self.epochs.append(epoch)
        self._progress.tell(
            f"epoch {epoch.number} of at most {trainer.max_epochs}: validation loss "
            f"{epoch.validation_loss:.4f}, accuracy {epoch.validation_accuracy:.3f}"
        )
