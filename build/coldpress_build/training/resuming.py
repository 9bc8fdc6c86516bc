"""Which checkpoints are a run's own: those of the same recipe, data and settings."""

import hashlib
import json
from typing import Any

from coldpress_build.checkpoints import Checkpoints
from coldpress_build.errors import BuildError
from coldpress_build.training import state


def own(checkpoints: Checkpoints, recipe: str, config: Any, data: str) -> Checkpoints:
    """The part of `checkpoints` for a run of `recipe` with `config` on `data`, a data set's reference.

    Raises:
        BuildError: the run is to go on, and the only checkpoints there are other runs'.
    """
    settings = state.lasting(config)
    text = json.dumps([recipe, data, settings], sort_keys=True)
    name = f"{recipe}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    others = checkpoints.names() if checkpoints.resume else []
    if others and name not in others:
        raise BuildError(_difference(checkpoints, others, recipe, settings))
    return checkpoints.within(name)


def _difference(checkpoints: Checkpoints, others: list[str], recipe: str, settings: dict[str, Any]) -> str:
    alike = [other for other in others if other.rpartition("-")[0] == recipe]
    what = "the data is another" if alike else f"they are of {', '.join(others)}"
    for other in alike:
        found = _settings(checkpoints.within(other))
        changed = sorted(key for key in settings if found and found.get(key) != settings[key])
        if found and changed:
            what = ", ".join(f"{key} was {found.get(key)} and is {settings[key]}" for key in changed)
    return (
        f"the checkpoints in {checkpoints.where} are not of this run: {what}; give the same recipe, data and "
        "settings, or start from the beginning, without --resume"
    )


def _settings(checkpoints: Checkpoints) -> dict[str, Any]:
    for seed in checkpoints.names():
        part = checkpoints.within(seed)
        kept = part.latest()
        if kept is not None:
            found: dict[str, Any] = state.unpack(kept, part.where)["signature"]["settings"]
            return found
    return {}
