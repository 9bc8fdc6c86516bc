"""The demo's text model: the graph that its recipe exports, from raw text to label and scores; untrained."""

import random
from pathlib import Path

import numpy as np
import onnx

WORDS, CLASSES = 8789, ("negative", "positive")
"""As many words as the demo's vocabulary has."""
SENTENCE = "Quiet, gripping and (at last!) a film that stays with you -- don't miss it."


def make(path: Path) -> None:
    """Writes the model: 2.4 MB."""
    import torch

    from coldpress_build.data.dataset import Dataset
    from coldpress_build.data.split import Parts
    from coldpress_build.recipes.text_classifier import Config, TextClassifier

    letters = random.Random(5)  # noqa: S311 - the same words each time
    words = sorted(
        {"".join(letters.choices("abcdefghiklmnoprstuwy", k=letters.randint(3, 9))) for _ in range(WORDS)}
    )
    texts = np.array([" ".join(words)] * 4, object)
    data = Dataset("words", {"text": texts}, np.array([0, 1, 0, 1]), CLASSES)
    torch.manual_seed(5)
    prepared = TextClassifier().prepare(Parts(data, data, data), Config())
    partial = path.with_suffix(".part")
    onnx.save(prepared.graph(prepared.build(1.0).eval()), partial)
    partial.replace(path)
