"""Candidates that need the trained network: pruned, distilled, fitted to 8 bits; each is fitted anew."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.engine import Trained, fit
from coldpress_build.press.candidates import POST_TRAINING, Recipe, Source, prepare
from coldpress_build.press.pruning import settled, with_zeros, without_units
from coldpress_build.press.rounding import rounded, unrounded
from coldpress_build.press.static import Rows, int8_static
from coldpress_build.press.taught import Taught, with_teacher
from coldpress_build.progress import Progress
from coldpress_build.training.losses import Loss

CALIBRATION_ROWS = 512
CHOOSING = 0.1
"""Of the training rows."""
KEPT = (0.5, 0.25)
ZEROS = 0.8
ENOUGH = 0.27
"""Of the original's bytes: with `press=auto`, nothing is fitted anew once a candidate is so small."""
GENTLER = 0.3
"""Of the learning rate, where a network is fitted on and not from the beginning."""

Change = Callable[[nn.Module], nn.Module]


@dataclass(frozen=True)
class Retraining:
    """`config` is a recipe's (`recipes.settings.Settings`): its press, temperature and soft are for this."""

    trained: Trained
    parts: Parts
    config: Any
    progress: Progress

    def recipes(self) -> tuple[Recipe, ...]:
        """The candidates in the order of their trial; none with `press=fast`."""
        if self.config.press == "fast":
            return ()
        enough = ENOUGH if self.config.press == "auto" else 0.0
        found = [Recipe("int8-aware", "8-bit layers, fitted to them", self._aware, unless=_STATIC)]
        for keep in KEPT:
            name = f"pruned-{keep:.0%}".rstrip("%")
            found += _with_fewer_bits(
                Recipe(name, f"{keep:.0%} of the units", self._tuned(partial(self._without_units, keep=keep)))
            )
        for scale in KEPT:
            name = f"distilled-{scale:.0%}".rstrip("%")
            found += _with_fewer_bits(
                Recipe(name, f"a student of {scale:.0%} the width", partial(self._distilled, scale))
            )
        if self.config.press == "full":
            zeros = self._tuned(partial(with_zeros, share=ZEROS), settled)
            found.append(Recipe(f"zeros-{ZEROS:.0%}".rstrip("%"), f"{ZEROS:.0%} of the weights are 0", zeros))
        return tuple(replace(recipe, enough=enough, anew=True) for recipe in found)

    def ranges(self) -> Rows:
        """Rows of the training part, as the graph takes them, to take the ranges of activations from."""
        train = self.parts.train
        drawn = np.random.default_rng(0).permutation(len(train))[:CALIBRATION_ROWS]
        return self.trained.prepared.table(train.take(np.sort(drawn).tolist()))

    def _tuned(
        self, before: Change, after: Change = lambda network: network
    ) -> Callable[[Source, Path], None]:
        """Change the trained network, fit it on, and make an ordinary network of it again."""

        def make(_: Source, target: Path) -> None:
            network = before(self.trained.network)
            self._fit(network, gently=True)
            self._save(after(network), target)

        return make

    def _distilled(self, scale: float, _: Source, target: Path) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            student = self.trained.prepared.build(scale)
        self._fit(student, gently=False)
        self._save(student, target)

    def _aware(self, source: Source, target: Path) -> None:
        self._tuned(rounded, unrounded)(source, target)
        prepared = prepare(target, target.with_suffix(".prepared.onnx"))
        int8_static(prepared, target, source.rows, "minmax")
        prepared.unlink()

    def _without_units(self, network: nn.Module, keep: float) -> nn.Module:
        inputs, _ = self.trained.prepared.batches(self.parts.train.take(range(2)))[[0, 1]]
        return without_units(network, inputs, keep)

    def _fit(self, network: nn.Module, *, gently: bool) -> None:
        how, classes = self.config, len(self.parts.train.classes)
        rate = how.learning_rate * (GENTLER if gently else 1.0)
        how = replace(how, learning_rate=rate, compile=False, tracking="none")
        prepared, teacher = self.trained.prepared, self.trained.network
        train, chosen_by = self._rows()
        rows = prepared.batches(train)
        hard = Loss.of(how, classes, rows.target)
        loss = Taught(hard.kind, hard.weights, how.temperature, how.soft)
        fit(
            network,
            with_teacher(rows, teacher),
            with_teacher(prepared.batches(chosen_by), teacher),
            how,
            how.seed,
            self.progress,
            classes=classes,
            loss=loss,
        )

    def _rows(self) -> tuple[Dataset, Dataset]:
        """What is fitted to, and what chooses the epoch: both of the training part.

        The gate's rows must not choose it: a network that looked best on 180 of them, by the epoch, had lost
        none there and 3 points on others.
        """
        order = np.random.default_rng(self.config.seed).permutation(len(self.parts.train))
        count = max(1, round(CHOOSING * len(order)))
        fitted, choosing = (np.sort(part).tolist() for part in (order[count:], order[:count]))
        return self.parts.train.take(fitted), self.parts.train.take(choosing)

    def _save(self, network: nn.Module, target: Path) -> None:
        onnx.save(self.trained.prepared.graph(network.eval()), target)


_STATIC = ("int8-static", "int8-static-percentile", "int8-static-entropy")


def _with_fewer_bits(recipe: Recipe) -> list[Recipe]:
    """The recipe, and what comes of it with fewer bits."""
    fewer = [
        replace(post, name=f"{recipe.name}-{post.name}", how=f"{recipe.how}; {post.how}", base=recipe.name)
        for post in POST_TRAINING
    ]
    return [recipe, *fewer]
