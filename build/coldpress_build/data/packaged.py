"""Public data sets by name: those that come with scikit-learn, and those that are fetched by pinned hash."""

from collections.abc import Callable
from typing import Any

import numpy as np

from coldpress_build.data import pictures, reviews, vowels
from coldpress_build.data.dataset import Dataset


def _of(loader: str) -> Dataset:
    from sklearn import datasets

    found: Any = getattr(datasets, f"load_{loader}")()
    names = [name.removesuffix(" (cm)").replace(" ", "_").replace("/", "_") for name in found.feature_names]
    columns = {name: found.data[:, place].astype(np.float32) for place, name in enumerate(names)}
    name = loader.replace("_", "-")
    if not hasattr(found, "target_names"):
        return Dataset.valued(name, columns, found.target)
    return Dataset.labelled(name, columns, [str(found.target_names[index]) for index in found.target])


PACKAGED: dict[str, Callable[[], Dataset]] = {
    "iris": lambda: _of("iris"),
    "wine": lambda: _of("wine"),
    "breast-cancer": lambda: _of("breast_cancer"),
    "diabetes": lambda: _of("diabetes"),
    "digits": pictures.digits,
    vowels.NAME: vowels.load,
    reviews.NAME: reviews.load,
}
"""By the name that `--data` takes; _ and - mean the same."""
