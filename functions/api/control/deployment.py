"""What every endpoint works on: the settings, the store, the registry and the keys."""

from typing import Annotated, NamedTuple, cast

from fastapi import Depends, Request

from coldpress import settings
from coldpress.access import Access
from coldpress.registry import Registry
from coldpress.settings import Settings
from coldpress.store import Store


class Deployment(NamedTuple):
    """One per process, made at import time, so that a bad setting fails at the start."""

    settings: Settings
    store: Store
    registry: Registry
    access: Access


def from_environment() -> Deployment:
    """The deployment that `COLDPRESS_*` describes. Raises `SettingsError` and `StoreUnusable`."""
    config = settings.from_environment()
    store = Store(config.store)
    return Deployment(config, store, Registry(store), Access(store, config.key_seconds))


async def _deployment(request: Request) -> Deployment:
    return cast(Deployment, request.app.state.deployment)


Here = Annotated[Deployment, Depends(_deployment)]
"""An endpoint's parameter of this type is the deployment."""
