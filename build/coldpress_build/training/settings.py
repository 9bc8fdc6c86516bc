"""How a network is fitted: one frozen dataclass, checked when it is made."""

from dataclasses import dataclass

from coldpress_build.config import one_of, within
from coldpress_build.errors import ConfigurationError

OPTIMISERS = ("adamw", "adam", "rmsprop", "momentum", "sgd")
LOSSES = ("auto", "cross-entropy", "bce", "mse")
SCHEDULES = ("constant", "cosine", "linear", "step", "plateau")
PRECISIONS = ("32", "bf16", "fp16")
DEVICES = ("auto", "cpu", "cuda")
STRATEGIES = ("auto", "ddp", "fsdp")
CLASS_WEIGHTS = ("none", "balanced")
TRACKING = ("none", "mlflow")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a network is fitted; a recipe's settings are these and its own."""

    epochs: int = 20
    """At most."""
    batch_size: int = 128
    """Rows of a step, in all processes together."""
    accumulate: int = 1
    """Batches whose gradients are added up before a step. It is what a batch so many times as large would do,
    in the memory of one."""
    optimiser: str = "adamw"
    """adamw, adam, rmsprop, momentum (SGD with `momentum`) or sgd."""
    learning_rate: float = 3e-3
    momentum: float = 0.9
    """Of optimiser=momentum."""
    weight_decay: float = 1e-2
    schedule: str = "constant"
    """Of the learning rate, after the warm-up: constant, cosine or linear (down to 0 at the last step), step
    (times `drop` every `drop_epochs`), plateau (times `drop` after `drop_epochs` without a better validation
    loss)."""
    warm_up: float = 0.0
    """Share of all steps in which the learning rate rises from 0 to its value."""
    drop: float = 0.1
    drop_epochs: int = 5
    loss: str = "auto"
    """cross-entropy, bce (two classes) or mse; auto is cross-entropy for classes and mse for values."""
    class_weights: str = "none"
    """balanced: an error counts the more, the rarer the class. none: every row counts the same."""
    average: float = 0.99
    """Decay of the moving average of the weights, which is what is validated and kept; 0 for none."""
    patience: int = 3
    """Epochs without a better validation loss before it ends."""
    clip: float = 1.0
    """Largest norm of a step's gradient."""
    precision: str = "32"
    """Of the arithmetic: 32, bf16, or fp16 (GPU only). The weights stay float32."""
    compile: bool = False
    """Let torch.compile make one program of the network: slow to begin with, faster from then on."""
    deterministic: bool = True
    """The same seed gives the same weights, on the same machine."""
    device: str = "auto"
    """cuda, cpu or auto: a GPU where there is one."""
    strategy: str = "auto"
    """Of several processes (torchrun): ddp, a copy of the network in each, or fsdp, a share of it in each;
    auto is ddp."""
    threads: int = 1
    """On a CPU. A step of a small network takes 4 ms on one thread; two, on a machine whose cores are busy,
    wait for each other and took 60 ms."""
    checkpoint_seconds: int = 60
    """At most so much work is lost when the machine is; 0: no checkpoints by time."""
    checkpoint_steps: int = 0
    """A checkpoint every so many steps too; 0: by time only."""
    tracking: str = "none"
    """mlflow: the figures go there too. metrics.csv and TensorBoard's events are always written."""

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a value out of range."""
        within(self, 1, 100_000, "epochs", "batch_size", "accumulate", "patience", "drop_epochs")
        within(self, 1e-7, 100.0, "learning_rate", "clip")
        within(self, 0.0, 10.0, "weight_decay")
        within(self, 0.0, 0.9999, "average", "momentum")
        within(self, 0.0, 0.9, "warm_up")
        within(self, 0.0, 1.0, "drop")
        within(self, 1, 256, "threads")
        within(self, 0, 10_000_000, "checkpoint_seconds", "checkpoint_steps")
        one_of(self, "optimiser", OPTIMISERS)
        one_of(self, "loss", LOSSES)
        one_of(self, "schedule", SCHEDULES)
        one_of(self, "precision", PRECISIONS)
        one_of(self, "device", DEVICES)
        one_of(self, "strategy", STRATEGIES)
        one_of(self, "class_weights", CLASS_WEIGHTS)
        one_of(self, "tracking", TRACKING)
        if self.schedule == "plateau" and self.warm_up:
            raise ConfigurationError(
                f"warm_up={self.warm_up} and schedule=plateau do not go together: set warm_up=0, or use "
                "schedule=cosine"
            )
        if self.schedule == "plateau" and self.drop == 1:
            raise ConfigurationError(
                "drop=1.0 and schedule=plateau do not go together, the rate would never fall: set drop below "
                "1, such as drop=0.5, or use schedule=constant"
            )
        if self.precision == "fp16" and self.strategy == "fsdp":
            raise ConfigurationError("precision=fp16 is not for strategy=fsdp; use precision=bf16")
