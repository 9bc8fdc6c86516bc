"""`--set key=value`."""

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from coldpress_build.config import Setting, describe, from_file, override, within
from coldpress_build.errors import ConfigurationError
from coldpress_build.recipes import RECIPES, find
from coldpress_build.recipes.text_classifier import Config


@dataclass(frozen=True)
class Small:
    rows: int = 3
    rate: float = 0.5
    fast: bool = False
    name: str = "x"


@dataclass(frozen=True)
class Lists(Small):
    widths: tuple[int, ...] = (64, 32)
    """Of the layers,
    two lines of it."""
    names: tuple[str, ...] = ()


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
    with pytest.raises(ConfigurationError, match=r"; did you mean 'text-classifier'\?$"):
        find("text-classifer")
    with pytest.raises(ConfigurationError, match=f"the recipes are {', '.join(RECIPES)}$"):
        find("x")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_found_and_explains_its_settings(name: str) -> None:
    recipe = find(name)
    assert (recipe.name, recipe.config().seed) == (name, 0)
    explained = {one.name: one for one in describe(recipe.config)}
    assert explained["threads"].meaning.startswith("On a CPU.")
    assert list(explained) == [field.name for field in fields(recipe.config)]


def test_settings_are_described_by_what_stands_below_them() -> None:
    found = {one.name: one for one in describe(Lists)}
    assert found["widths"] == Setting("widths", "64,32", "Of the layers, two lines of it.")
    assert found["rate"] == Setting("rate", "0.5", "")


def test_lists_have_commas_between_their_values() -> None:
    assert override(Lists, ["widths=1000, 500,100", "names=a,b"]).widths == (1000, 500, 100)
    assert override(Lists, ["names=a,b"]).names == ("a", "b")
    assert override(Lists, ["widths="]).widths == ()
    with pytest.raises(
        ConfigurationError,
        match=r"widths='1,x' is not a list, each a whole number; a good value is widths=64,32",
    ):
        override(Lists, ["widths=1,x"])


def test_a_file_comes_before_what_is_set(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('rows = 9\nrate = 1\nwidths = [8]\nnames = ["a"]\nfast = true\n')
    assert override(Lists, [*from_file(Lists, file), "rows=10"]) == Lists(
        rows=10, rate=1.0, fast=True, widths=(8,), names=("a",)
    )


NAMES = ("name, first", "a", 'the "b"', '"c"', " d ", "", '"', ",", '5"', "two\nlines")


def test_a_list_of_a_file_has_the_values_that_stand_there(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"names = {json.dumps(NAMES)}")
    (pair,) = from_file(Lists, file)
    assert override(Lists, [pair]).names == NAMES
    assert override(Lists, ['names="name, first", a,the "b" , "c"d, "e']).names == (
        "name, first",
        "a",
        'the "b"',
        '"c"d',
        '"e',
    )
    assert override(Lists, ['widths="8", 4']).widths == (8, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('rows = "9"', "rows='9' is not a whole number; a good value is rows=3"),
        ("rows = 1.5", "rows=1.5 is not a whole number; a good value is rows=3"),
        ("rows = true", "rows=True is not a whole number; a good value is rows=3"),
        ("widths = 8", "widths=8 is not a list, each a whole number; a good value is widths=64,32"),
        ("[deep]\nrows = 1", "there is no setting 'deep'; the settings, with their defaults, are rows=3"),
        ("rows 9", "settings.toml is no TOML"),
    ],
)
def test_a_wrong_file_is_an_error_with_a_good_value(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "settings.toml").write_text(content)
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        from_file(Lists, tmp_path / "settings.toml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read: No such file"):
        from_file(Lists, tmp_path / "none.toml")
