"""`--set key=value` onto a frozen dataclass: an unknown key or a value of the wrong type is an error."""

from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any, TypeVar

from coldpress_build.errors import ConfigurationError

Settings = TypeVar("Settings")

WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def override(settings: type[Settings], pairs: Sequence[str]) -> Settings:
    """The defaults of `settings` with `pairs`, each "key=value", put over them; the last of a key counts.

    Raises:
        ConfigurationError: no "=", an unknown key, a value of another type than the key's, or out of range.
    """
    known = {field.name: field for field in fields(settings)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not equals:
            raise ConfigurationError(
                f"{pair!r} is no key=value; a good one is {_example(next(iter(known.values())))}"
            )
        if key not in known:
            listed = ", ".join(_example(field) for field in known.values())
            raise ConfigurationError(
                f"there is no setting {key!r}; the settings, with their defaults, are {listed}"
            )
        values[key] = _value(known[key], text.strip())
    return settings(**values)


def _value(field: "Field[Any]", text: str) -> Any:
    kind: Any = type(field.default)
    try:
        return WORDS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise ConfigurationError(
            f"{field.name}={text!r} is not {TYPES[kind]}; a good value is {_example(field)}"
        ) from None


def _example(field: "Field[Any]") -> str:
    return f"{field.name}={field.default}"


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
