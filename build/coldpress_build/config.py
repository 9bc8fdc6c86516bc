"""A recipe's settings: a frozen dataclass, then a file, then `--set key=value`.

An unknown key or a value of the wrong type is an error that shows a good value.
"""

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar, get_args, get_type_hints

from coldpress_build.errors import ConfigurationError

Settings = TypeVar("Settings")

WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
ITEM = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"\s*|(?P<plain>[^,]*))(?:,|$)')
"""One value of a list, as CSV has it."""
TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def override(settings: type[Settings], pairs: Sequence[str]) -> Settings:
    """The defaults of `settings` with `pairs`, each "key=value", put over them; the last of a key counts.

    The values of a list have commas between them. A text with a comma in it stands in double quotes, as in
    CSV.

    Raises:
        ConfigurationError: no "=", an unknown key, a value of another type than the key's, or out of range.
    """
    known = {field.name: field for field in fields(settings)}  # type: ignore[arg-type]
    kinds = get_type_hints(settings)
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ConfigurationError(
                f"{pair!r} is no key=value; a good one is {_example(next(iter(known.values())))}"
            )
        name = _named(key, known)
        values[name] = _value(known[name], kinds[name], text.strip())
    return settings(**values)


def from_file(settings: type[Any], file: Path) -> list[str]:
    """What a TOML file sets, each as "key=value".

    Raises:
        ConfigurationError: it cannot be read; an unknown key, or a value of another type than the key's.
    """
    known, kinds = {field.name: field for field in fields(settings)}, get_type_hints(settings)
    pairs = []
    for key, value in _read(file).items():
        name = _named(key, known)
        pairs.append(f"{name}={shown(_given(known[name], kinds[name], value))}")
    return pairs


def _named(key: str, known: Mapping[str, "Field[Any]"]) -> str:
    name = key.strip().replace("-", "_")
    if name not in known:
        listed = ", ".join(_example(field) for field in known.values())
        raise ConfigurationError(
            f"there is no setting {name!r}; the settings, with their defaults, are {listed}"
        )
    return name


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{file} is no TOML: {error}; a good line is epochs = 20") from error


def _value(field: "Field[Any]", kind: Any, text: str) -> Any:
    items = get_args(kind)
    try:
        if items:
            return tuple(_one(items[0], part) for part in _parts(text))
        return _one(kind, text)
    except (KeyError, ValueError):
        raise _mistyped(field, kind, text) from None


def _parts(text: str) -> Iterator[str]:
    for found in ITEM.finditer(text):
        if found["quoted"] is not None:
            yield found["quoted"].replace('""', '"')
        elif part := found["plain"].strip():
            yield part


def _one(kind: Any, text: str) -> Any:
    return WORDS[text.lower()] if kind is bool else kind(text)


def _given(field: "Field[Any]", kind: Any, value: Any) -> Any:
    """A value of a TOML file: of the very type, but a whole number is a number too."""
    items = get_args(kind)
    if items and isinstance(value, list) and all(_fits(item, items[0]) for item in value):
        return tuple(items[0](item) for item in value)
    if items or not _fits(value, kind):
        raise _mistyped(field, kind, value)
    return kind(value)


def _fits(value: Any, kind: Any) -> bool:
    return type(value) is kind or (kind is float and type(value) is int)


def _mistyped(field: "Field[Any]", kind: Any, value: Any) -> ConfigurationError:
    items = get_args(kind)
    wanted = f"a list, each {TYPES[items[0]]}" if items else TYPES[kind]
    return ConfigurationError(f"{field.name}={value!r} is not {wanted}; a good value is {_example(field)}")


def _example(field: "Field[Any]") -> str:
    return f"{field.name}={shown(field.default)}"


def shown(value: Any) -> str:
    """A value as `--set` takes it."""
    return ",".join(map(_item, value)) if isinstance(value, tuple) else str(value)


def _item(value: Any) -> str:
    text = str(value)
    if text and text == text.strip() and "," not in text and text[0] != '"':
        return text
    return '"' + text.replace('"', '""') + '"'


@dataclass(frozen=True)
class Setting:
    """One setting; `meaning` is what stands below it in the source, "" where its name says it all."""

    name: str
    default: str
    meaning: str


def describe(settings: type[Any]) -> list[Setting]:
    """The settings of a dataclass, in order, with what their source says of them."""
    meanings: dict[str, str] = {}
    for kind in reversed(settings.__mro__[:-1]):
        (body,) = ast.parse(dedent(inspect.getsource(kind))).body
        lines = body.body if isinstance(body, ast.ClassDef) else []
        for line, following in pairwise(lines):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                meanings.setdefault(line.target.id, "")
                if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                    meanings[line.target.id] = " ".join(str(following.value.value).split())
    return [Setting(f.name, shown(f.default), meanings.get(f.name, "")) for f in fields(settings)]


def within(settings: object, least: float, most: float, *names: str) -> None:
    """Raises `ConfigurationError` unless each of these settings is from `least` to `most`."""
    for name in names:
        value = getattr(settings, name)
        if not least <= value <= most:
            raise ConfigurationError(f"{name}={value} must be from {least} to {most}")


def one_of(settings: object, name: str, known: Sequence[str]) -> None:
    """Raises `ConfigurationError` unless this setting is one of `known`."""
    if (value := getattr(settings, name)) not in known:
        raise ConfigurationError(f"{name}={value} is unknown; it is one of {', '.join(known)}")
