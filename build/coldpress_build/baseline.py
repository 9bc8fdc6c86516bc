"""What a training run has to beat: simple models of scikit-learn on the very same rows."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts

ACCURACY, R2 = "accuracy", "R²"


@dataclass(frozen=True)
class Baseline:
    """`metric` is "accuracy" (shares of rows, 0 to 1) or "R²" (at most 1). `trivial` is the test figure of
    always answering the commonest class, or the mean."""

    name: str
    metric: str
    validation: float
    test: float
    trivial: float
    seconds: float


def fitted(name: str, model: Any, parts: Parts, rows: Callable[[Dataset], Any]) -> Baseline:
    """`model`, an estimator of scikit-learn, fitted on what `rows` makes of the training part."""
    started = perf_counter()
    model.fit(rows(parts.train), parts.train.target)
    train, test = parts.train.target, parts.test.target
    if parts.train.classes:
        trivial = float(np.mean(test == np.bincount(train).argmax()))
    else:
        trivial = 1.0 - float(((test - train.mean()) ** 2).sum() / ((test - test.mean()) ** 2).sum())
    return Baseline(
        name,
        ACCURACY if parts.train.classes else R2,
        float(model.score(rows(parts.validation), parts.validation.target)),
        float(model.score(rows(parts.test), test)),
        trivial,
        perf_counter() - started,
    )


def text_baseline(parts: Parts) -> Baseline:
    """scikit-learn's defaults, fitted on the training part."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    return fitted("TF-IDF + logistic regression", model, parts, lambda data: data.columns["text"])
