"""What a training run has to beat: TF-IDF and logistic regression on the very same rows."""

from collections import Counter
from dataclasses import dataclass
from time import perf_counter

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from coldpress_build.data.split import Parts

NAME = "TF-IDF + logistic regression"


@dataclass(frozen=True)
class Baseline:
    """Accuracies are shares of rows, 0 to 1. `majority` is that of always answering the commonest class."""

    name: str
    validation_accuracy: float
    test_accuracy: float
    majority: float
    seconds: float


def text_baseline(parts: Parts) -> Baseline:
    """scikit-learn's defaults, fitted on the training part."""
    started = perf_counter()
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    model.fit(parts.train.texts, parts.train.labels)
    commonest, _ = Counter(parts.train.labels).most_common(1)[0]
    return Baseline(
        NAME,
        float(model.score(parts.validation.texts, parts.validation.labels)),
        float(model.score(parts.test.texts, parts.test.labels)),
        parts.test.labels.count(commonest) / len(parts.test),
        perf_counter() - started,
    )
