"""Job state change -> run record; a complete data set -> GPU batch job; the clock -> how long runs wait."""

from functools import cache
from typing import Any

from coldpress import settings
from coldpress.jobs.batch import Batch
from coldpress.jobs.events import handle
from coldpress.store import Store

here = settings.from_environment()
store = Store(here.store)


@cache
def batch() -> Batch:
    """Made when it is first needed: most events only tell of a job."""
    return Batch(here.training)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """EventBridge's events, one at a time."""
    return handle(event, store, batch)
