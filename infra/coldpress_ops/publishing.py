"""Publishing what the press made, with the model it was made of behind it."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from coldpress.errors import ColdpressError, NotFound

if TYPE_CHECKING:
    from coldpress_ops.client import Client


def check_deployment(client: "Client", name: str) -> None:
    """Raises now what would be raised after hours of work: nothing answers, or not to this key."""
    with suppress(NotFound):
        client.model(name)


def publish_pressed(client: "Client", name: str, model: Path, original: Path | None) -> str:
    """Publish `original` as a version that no alias points at, then `model` as the next; what was done.

    The first is the way back: `coldpress promote NAME VERSION` serves it, on any machine, as it was trained.
    It is None where the press changed nothing.

    Raises:
        ColdpressError: an upload was refused or did not get ready in time, or the deployment does not answer;
            the message says how to publish `model` later. What was published stays.
    """
    try:
        return _publish(client, name, model, original)
    except ColdpressError as error:
        raise ColdpressError(f"{error}; the model is kept: coldpress publish {name} {model}") from error


def _publish(client: "Client", name: str, model: Path, original: Path | None) -> str:
    if original is None:
        return f"{name} version {client.publish(name, model).version} is ready"
    before = client.publish(name, original, None).version
    after = client.publish(name, model).version
    return f"{name} version {after} is ready; version {before} is the original (no alias points at it)"
