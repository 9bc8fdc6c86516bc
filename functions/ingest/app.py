"""Storage upload of a model -> checked, optimised, registered version."""

from functools import partial
from typing import Any

from coldpress.ingest.events import handle
from coldpress.ingest.ingest import Ingest

ingest = Ingest.from_environment()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Events of object storage, from a queue or directly; failed messages come again."""
    return handle(event, partial(ingest, seconds=context.get_remaining_time_in_millis() / 1000))
