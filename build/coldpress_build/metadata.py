"""What a model says of itself, to whoever serves it and to whoever finds the file."""

from typing import Any

from coldpress_build import runs
from coldpress_build.export import warm_up
from coldpress_build.result import Learned

NAMED = 8
"""Inputs and classes that the description names."""


def metadata(learned: Learned) -> dict[str, Any]:
    """The model's labels or unit, its warm-up request, and where it comes from."""
    data = learned.data
    unit = getattr(learned.config, "unit", "")
    answers = _listed(data.classes) if data.classes else f"a value{unit and f' in {unit}'}"
    found = {
        "coldpress.recipe": learned.recipe,
        "coldpress.dataset": data.reference,
        "coldpress.versions": runs.versions(),
        "coldpress.description": f"{_listed(tuple(data.columns))} -> {answers}; learned from {data.name}",
        "coldpress.warmup": warm_up(learned.trained.prepared.warm_up),
    }
    if data.classes:
        found["coldpress.labels"] = list(data.classes)
    if unit:
        found["coldpress.unit"] = unit
    return found


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
