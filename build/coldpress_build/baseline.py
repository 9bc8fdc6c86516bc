"""What a training run has to beat: simple models of scikit-learn on the very same rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.split import Parts
from coldpress_build.errors import DataError

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
    answers: Array = field(compare=False, repr=False, metadata={"json": False})
    """To the test rows: class indices, or values. Other models are compared with it row by row."""


def fitted(name: str, model: Any, parts: Parts, rows: Callable[[Dataset], Any]) -> Baseline:
    """`model`, an estimator of scikit-learn, fitted on what `rows` makes of the training part."""
    started = perf_counter()
    # Several threads on a machine whose cores are busy wait for each other: 9 s for the 98 rows of iris.
    with threadpool_limits(1):
        model.fit(rows(parts.train), parts.train.target)
        validation = float(model.score(rows(parts.validation), parts.validation.target))
        tested = float(model.score(rows(parts.test), parts.test.target))
    train, test = parts.train.target, parts.test.target
    if parts.train.classes:
        trivial = float(np.mean(test == np.bincount(train).argmax()))
    else:
        trivial = 1.0 - float(((test - train.mean()) ** 2).sum() / ((test - test.mean()) ** 2).sum())
    return Baseline(
        name,
        ACCURACY if parts.train.classes else R2,
        validation,
        tested,
        trivial,
        perf_counter() - started,
        np.asarray(model.predict(rows(parts.test))),
    )


def text_baseline(parts: Parts) -> Baseline:
    """scikit-learn's defaults, fitted on the training part.

    Raises:
        DataError: its texts are all blank.
    """
    texts = parts.train.columns["text"].tolist()
    if not any(text.strip() for text in texts):
        raise DataError(f"{parts.train.name}: the {len(texts):,} texts of the training part are all blank")
    words = TfidfVectorizer()
    analyse = words.build_analyzer()
    if not any(analyse(text) for text in texts):
        # The default wants two letters or more: emoji and single letters are no words to it.
        words = TfidfVectorizer(token_pattern=r"\S+")  # noqa: S106 (no password)
    model = make_pipeline(words, LogisticRegression(max_iter=1000))
    return fitted("TF-IDF + logistic regression", model, parts, lambda data: data.columns["text"])


def table_baseline(parts: Parts) -> Baseline:
    """A linear model or gradient boosting, whichever is better on the validation part."""
    columns = parts.train.columns
    texts = [place for place, column in enumerate(_flat(columns)) if column.dtype == object]
    numbers = [place for place, column in enumerate(_flat(columns)) if column.dtype != object]
    line: Any = LogisticRegression(max_iter=2000) if parts.train.classes else RidgeCV(np.logspace(-3, 3, 13))
    trees = HistGradientBoostingClassifier if parts.train.classes else HistGradientBoostingRegressor
    linear = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), texts),
        ),
        line,
    )
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    boosted = make_pipeline(
        make_column_transformer((ordinal, texts), ("passthrough", numbers)), trees(random_state=0)
    )
    name = "logistic regression" if parts.train.classes else "ridge regression"
    found = [
        fitted(name, linear, parts, _side_by_side),
        fitted("gradient boosting", boosted, parts, _side_by_side),
    ]
    return max(found, key=lambda one: one.validation)


def sequence_baseline(parts: Parts) -> Baseline:
    """Logistic regression on the mean and the spread of each channel over a sequence's own steps."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return fitted("logistic regression on means and spreads", model, parts, _means)


def _means(data: Dataset) -> Array:
    rows = zip(data.columns["sequence"], data.columns["length"].tolist(), strict=True)
    return np.stack([np.concatenate([row[:n].mean(0), row[:n].std(0)]) for row, n in rows])


def _flat(columns: Mapping[str, Array]) -> list[Array]:
    """Columns of one value a row."""
    found = []
    for column in columns.values():
        found += [column] if column.ndim == 1 else list(column.T)
    return found


def _side_by_side(data: Dataset) -> Array:
    return np.stack([column.astype(object) for column in _flat(data.columns)], axis=1)
