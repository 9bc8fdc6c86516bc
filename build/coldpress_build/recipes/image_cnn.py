"""image-cnn: convolutions of 3 x 3 and 5 x 5 with max pooling -> one hidden layer -> classes; or ResNet-18.

Resizing and normalisation are in the graph: a client sends a picture of any size as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from coldpress_build.baseline import Baseline, fitted
from coldpress_build.config import one_of, within
from coldpress_build.data.batches import Batches
from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.pictures import digits, read_pictures
from coldpress_build.data.sources import check_target, load
from coldpress_build.data.split import Parts
from coldpress_build.errors import DataError
from coldpress_build.export import Port, served_graph
from coldpress_build.quiet import quiet
from coldpress_build.recipes.recipe import Prepared
from coldpress_build.recipes.resnet import resnet18
from coldpress_build.recipes.settings import Settings
from coldpress_build.search import COMMON, Choice, OneOf, Uniform

BASELINE_ROWS = 5_000
"""The baseline is fitted on so many: a logistic regression on more takes minutes and gains little."""


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of the recipe; `--set name=value` overrides one."""

    space: ClassVar[Mapping[str, Choice]] = COMMON | {
        "filters": OneOf(16, 32, 64),
        "hidden": OneOf(64, 128, 256),
        "dropout": Uniform(0.0, 0.6),
    }

    network: str = "cnn"
    """cnn, two convolutions; or resnet18."""
    size: int = 0
    """Pixels a side; 0: the data's own. Others are resized, in training and in the graph."""
    classes: str = ""
    """Only these, by commas: cat,dog. Empty: all."""
    filters: int = 32
    """Of the first convolution; the second has twice as many. Of a ResNet: of the first stage."""
    hidden: int = 128
    dropout: float = 0.3
    shift: float = 0.08
    """Each training picture is moved by up to this share of its size."""
    flip: bool = False
    """Half of the training pictures are mirrored, left to right; not for digits or text."""
    batch_size: int = 64
    learning_rate: float = 2e-3

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a value out of range."""
        super().__post_init__()
        one_of(self, "network", ("cnn", "resnet18"))
        if self.size:
            within(self, 8, 1024, "size")
        within(self, 1, 4096, "filters", "hidden")
        within(self, 0.0, 0.99, "dropout")
        within(self, 0.0, 0.5, "shift")


class Network(nn.Module):
    """Pictures uint8 [batch, height, width, channels] -> logits [batch, classes]."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, pixels: Array, classes: int, config: Config, scale: float = 1.0) -> None:
        """`pixels` are the training part's, for the mean and standard deviation of each channel."""
        super().__init__()
        _, self.size, _, channels = pixels.shape
        self.shift, self.flip = config.shift, config.flip
        # As buffers: they belong to the weights, and into the graph.
        self.register_buffer("mean", torch.tensor(pixels.mean((0, 1, 2)), dtype=torch.float32))
        deviation = torch.tensor(pixels.std((0, 1, 2)), dtype=torch.float32)
        self.register_buffer("deviation", deviation.clamp(min=1.0))
        filters, hidden = (max(1, round(scale * width)) for width in (config.filters, config.hidden))
        if config.network == "resnet18":
            self.classify = resnet18(channels, classes, self.size, filters)
            return
        self.classify = nn.Sequential(
            nn.Conv2d(channels, filters, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(filters, 2 * filters, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(config.dropout),
            nn.Linear(2 * filters * (self.size // 4) ** 2, hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, classes),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Normalised, then of one size."""
        x = ((image.float() - self.mean) / self.deviation).permute(0, 3, 1, 2)
        # Training pictures have the size already.
        x = self._moved(x) if self.training else interpolate(x, (self.size, self.size), mode="bilinear")
        logits: Tensor = self.classify(x)
        return logits

    def _moved(self, x: Tensor) -> Tensor:
        if self.flip:
            x = torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5, x.flip(3), x)
        if (most := round(self.shift * self.size)) == 0:
            return x
        # Every picture by its own distance: rows and columns of the padded one are picked by index.
        padded = pad(x, [most] * 4, mode="replicate")
        at = torch.randint(0, 2 * most + 1, (2, len(x), 1), device=x.device)
        down, right = at + torch.arange(self.size, device=x.device)
        return padded[
            torch.arange(len(x), device=x.device)[:, None, None, None],
            torch.arange(x.shape[1], device=x.device)[:, None, None],
            down[:, None, :, None],
            right[:, None, None, :],
        ]


class ImageCnn:
    """Learns which class a picture belongs to."""

    name = "image-cnn"
    summary = "the class of a picture: two convolutions or ResNet-18; digits unless you give data"
    config = Config

    def load(self, source: str | None, config: Config) -> Dataset:
        """A folder of folders, an .npz, MNIST's files, the CIFAR-10 archive, or scikit-learn's digits."""
        wanted = tuple(filter(None, config.classes.split(",")))

        def read(path: Path) -> Dataset:
            return read_pictures(path, config.size, wanted, config.target)

        if source in (None, "digits"):
            check_target("digits", config.target)
            return digits(config.size, wanted)
        data = load(source, read, target=config.target)
        if list(data.columns) != ["image"] or not data.classes:
            raise DataError(f"{data.name} has no pictures with a class each; digits has")
        return data

    def split(self, data: Dataset, config: Config) -> Parts:
        """By the configuration's shares and seed."""
        return config.parts(data)

    def baseline(self, parts: Parts) -> Baseline:
        """A logistic regression on the pixels."""
        fewer = replace(parts, train=parts.train.take(range(min(len(parts.train), BASELINE_ROWS))))
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100))
        with quiet():  # so many iterations are enough for a baseline, whatever is left to gain
            return fitted("logistic regression on the pixels", model, fewer, _flat)

    def prepare(self, parts: Parts, config: Config) -> Prepared:
        """Mean and deviation of the training part's pixels."""
        pixels = parts.train.columns["image"]
        classes = parts.train.classes
        _, size, _, channels = pixels.shape

        def graph(network: nn.Module) -> onnx.ModelProto:
            # Of another size than the network's, so that the exporter keeps the resizing.
            example = torch.zeros(2, size + 3, size + 1, channels, dtype=torch.uint8)
            image = Port("image", example, ("batch", "height", "width", ""))
            return served_graph(network, [image], classes, name="image_cnn")

        return Prepared(
            build=lambda scale: Network(pixels, len(classes), config, scale),
            batches=lambda data: Batches(
                torch.from_numpy(data.columns["image"]), torch.from_numpy(data.target)
            ),
            table=lambda data: dict(data.columns),
            graph=graph,
            warm_up={"image": np.zeros((1, size, size, channels), np.uint8)},
            longer=_larger,
        )


def _flat(data: Dataset) -> Array:
    return data.columns["image"].reshape(len(data), -1)


def _larger(data: Dataset) -> Dataset:
    """Each picture twice as high and three times as wide."""
    return replace(data, columns={"image": data.columns["image"].repeat(2, 1).repeat(3, 2)})
