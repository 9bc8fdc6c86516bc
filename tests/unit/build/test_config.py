"""`--set key=value`."""

import re
from dataclasses import dataclass

import pytest

from coldpress_build.config import override, within
from coldpress_build.errors import ConfigurationError
from coldpress_build.recipes import find
from coldpress_build.recipes.text_classifier import Config


@dataclass(frozen=True)
class Small:
    rows: int = 3
    rate: float = 0.5
    fast: bool = False
    name: str = "x"


def test_values_get_the_type_of_their_default() -> None:
    pairs = ["rows=7", "rate=1", "fast=Yes", "name=a=b", "rows = 8"]
    assert override(Small, pairs) == Small(rows=8, rate=1.0, fast=True, name="a=b")
    assert override(Small, []) == Small()


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("rows=many", "rows='many' is not a whole number; a good value is rows=3"),
        ("rows=1.5", "rows='1.5' is not a whole number; a good value is rows=3"),
        ("rate=fast", "rate='fast' is not a number; a good value is rate=0.5"),
        ("fast=maybe", "fast='maybe' is not true or false; a good value is fast=False"),
        ("rows", "'rows' is no key=value; a good one is rows=3"),
        (
            "row=1",
            "there is no setting 'row'; the settings, with their defaults, are "
            "rows=3, rate=0.5, fast=False, name=x",
        ),
    ],
)
def test_a_wrong_pair_is_an_error_with_a_good_value(pair: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        override(Small, [pair])


def test_dashes_mean_underscores() -> None:
    assert override(Config, ["learning-rate=0.1"]).learning_rate == 0.1


@pytest.mark.parametrize(
    "pair",
    [
        "dropout=1",
        "validation=0",
        "test=0.5",
        "epochs=0",
        "max_words=1",
        "learning_rate=nan",
        "clip=0",
        "seed=-1",
    ],
)
def test_values_out_of_range_are_refused(pair: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{pair.partition('=')[0]}=.* must be from "):
        override(Config, [pair])


def test_limits_are_in_range() -> None:
    within(Small(), 3, 3, "rows")


def test_an_unknown_recipe_lists_the_recipes() -> None:
    with pytest.raises(
        ConfigurationError, match=r"recipes are text-classifier; did you mean 'text-classifier'\?"
    ):
        find("text-classifer")
    with pytest.raises(ConfigurationError, match=r"the recipes are text-classifier$"):
        find("x")
