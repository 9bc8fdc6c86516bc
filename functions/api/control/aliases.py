"""`/models/{name}/aliases/{alias}`: rolling forward and back."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from coldpress.errors import Conflict, InvalidRequest
from coldpress.registry import Alias
from control.deployment import Here
from control.failures import documented
from control.models import Name
from control.schemas import NAMED, Route, routes_of
from control.security import Admin, Reader
from control.telemetry import logger

router = APIRouter(prefix="/models/{name}/aliases/{alias}", tags=["aliases"])

AliasName = Annotated[str, Path(description="The alias.", examples=["prod"], json_schema_extra=NAMED)]

MAX_ROUTES = 16
MIN_SHARE = 1e-6


class Wanted(BaseModel):
    """A version that an alias is to point at."""

    version: int = Field(ge=1, le=10**9, strict=True, examples=[7])
    weight: float = Field(ge=MIN_SHARE, le=1e6, allow_inf_nan=False, examples=[1.0])


class Move(BaseModel):
    """Where an alias is to point."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"routes": [{"version": 7, "weight": 0.95}, {"version": 8, "weight": 0.05}]}]
        },
    )
    routes: list[Wanted] = Field(
        min_length=1,
        max_length=MAX_ROUTES,
        description="Each version once. The weights are made to add up to 1, then none is below 0.000001.",
    )


class Beside(BaseModel):
    """A version that is to run beside the answers."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 9}]})
    version: int = Field(ge=1, le=10**9, strict=True, description="One that the alias does not route to.")


class Former(BaseModel):
    """Where an alias pointed before."""

    routes: list[Route]
    until: str = Field(description="ISO 8601, UTC.")


class Position(BaseModel):
    """Where an alias points, and where it pointed before."""

    model: str
    alias: str
    routes: list[Route]
    shadow: int | None = Field(description="The version that gets the same requests and answers nobody.")
    history: list[Former] = Field(description="Latest first; `rollback` goes to the first.")


@router.get("", summary="Where an alias points", responses=documented(400, 404))
async def show_alias(
    name: Name, alias: AliasName, here: Here, response: Response, _caller: Reader
) -> Position:
    """With the positions it had before, and an ETag for `If-Match`."""
    found = here.registry.alias(name, alias)
    response.headers["etag"] = found.etag
    return _position(found)


@router.put("", summary="Point an alias at versions", responses=documented(400, 404, 409))
async def move_alias(
    name: Name,
    alias: AliasName,
    move: Move,
    here: Here,
    caller: Admin,
    if_match: Annotated[str, Header(description="Only from the position that has this ETag.")] = "",
) -> Position:
    """Takes effect within seconds. Sending the same again changes nothing."""
    weights = {route.version: route.weight for route in move.routes}
    if len(weights) < len(move.routes):
        raise InvalidRequest("routes names a version twice; give each version one weight")
    _check_shares(weights)
    moved = here.registry.move(name, alias, weights, _now(), only_from=if_match)
    _log("alias moved", moved, caller.id)
    return _position(moved)


@router.post(
    "/rollback", summary="Point an alias where it pointed before", responses=documented(400, 404, 409)
)
async def roll_back(name: Name, alias: AliasName, here: Here, caller: Admin) -> Position:
    """The position it leaves becomes the first in its history: rolling back twice changes nothing."""
    moved = here.registry.rollback(name, alias, _now())
    _log("alias rolled back", moved, caller.id)
    return _position(moved)


@router.put("/shadow", summary="Run a version beside an alias's answers", responses=documented(400, 404, 409))
async def set_shadow(name: Name, alias: AliasName, beside: Beside, here: Here, caller: Admin) -> Position:
    """It gets the same requests, after their answers, and answers nobody; the log tells how far it is off."""
    if here.settings.shadow != "on":
        raise Conflict("shadows are off in this deployment: deploy it with the parameter Shadow=on")
    found = here.registry.shadow(name, alias, beside.version)
    _log("shadow set", found, caller.id)
    return _position(found)


@router.delete("/shadow", summary="End an alias's shadow", responses=documented(400, 404, 409))
async def end_shadow(name: Name, alias: AliasName, here: Here, caller: Admin) -> Position:
    """Ending it twice changes nothing."""
    found = here.registry.shadow(name, alias, 0)
    _log("shadow ended", found, caller.id)
    return _position(found)


def _check_shares(weights: dict[int, float]) -> None:
    # Here and not in the registry: a rollback must always find its way back, also to a share that was let in
    # before there was a limit.
    total = sum(weights.values())
    for version, weight in weights.items():
        if weight / total < MIN_SHARE:
            raise InvalidRequest(
                f"version {version} would get {weight / total:.6g} of the requests, the least is "
                f"{MIN_SHARE:f}; give it a larger weight, or leave it out"
            )


def _position(alias: Alias) -> Position:
    history: list[Any] = [{"routes": row["routes"], "until": row["until"]} for row in alias.history]
    return Position(
        model=alias.model,
        alias=alias.name,
        routes=routes_of(alias),
        shadow=alias.shadow or None,
        history=[Former.model_validate(row) for row in history],
    )


def _log(what: str, alias: Alias, key_id: str) -> None:
    routes = {str(route.version): route.weight for route in alias.routes}
    extra = {
        "model": alias.model,
        "alias": alias.name,
        "routes": routes,
        "shadow": alias.shadow,
        "key": key_id,
    }
    logger.info(what, extra=extra)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
