"""What can be trained, by name."""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from coldpress_build.errors import ConfigurationError

if TYPE_CHECKING:
    from coldpress_build.recipes.recipe import Recipe


@dataclass(frozen=True)
class Entry:
    """Where a recipe is, and one line of what it does."""

    module: str
    kind: str
    summary: str


# A recipe is imported when it is asked for: torch takes seconds.
RECIPES: dict[str, Entry] = {
    "tabular-mlp": Entry("tabular_mlp", "TabularMlp", "the class of a row of a table"),
    "regressor": Entry("regressor", "Regressor", "a value from a row of a table"),
    "text-classifier": Entry(
        "text_classifier", "TextClassifier", "the class of a text, by the mean of its words"
    ),
    "text-transformer": Entry(
        "text_transformer", "TextTransformer", "the class of a text, by a small transformer encoder"
    ),
    "sequence-rnn": Entry(
        "sequence_rnn", "SequenceRnn", "the class of a sequence of any length: RNN, GRU or LSTM"
    ),
    "image-cnn": Entry("image_cnn", "ImageCnn", "the class of a picture: two convolutions, or ResNet-18"),
}


def find(name: str) -> "Recipe":
    """The recipe of that name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in RECIPES:
        close = get_close_matches(name, RECIPES, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigurationError(f"there is no recipe {name!r}; the recipes are {', '.join(RECIPES)}{hint}")
    entry = RECIPES[name]
    recipe: Recipe = getattr(import_module(f"{__name__}.{entry.module}"), entry.kind)()
    return recipe
