"""What can be trained, by name."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from coldpress_build.errors import ConfigurationError

if TYPE_CHECKING:
    from coldpress_build.recipes.recipe import Recipe


def _text_classifier() -> "Recipe":
    from coldpress_build.recipes.text_classifier import TextClassifier

    return TextClassifier()


# A recipe is imported when it is asked for: torch takes seconds.
RECIPES: dict[str, Callable[[], "Recipe"]] = {"text-classifier": _text_classifier}


def find(name: str) -> "Recipe":
    """The recipe of that name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in RECIPES:
        close = get_close_matches(name, RECIPES, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ConfigurationError(f"there is no recipe {name!r}; the recipes are {', '.join(RECIPES)}{hint}")
    return RECIPES[name]()
