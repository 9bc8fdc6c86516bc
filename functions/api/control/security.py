"""The door: who calls, and whether their scopes cover it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from coldpress import gateway, principal
from coldpress.access import Caller, require
from control.deployment import Deployment, Here

_HELP = "Make one with `coldpress keys create --admin` (or `--read`)."
# auto_error off: `coldpress.access` refuses, with the same words everywhere.
_header = APIKeyHeader(name="x-api-key", scheme_name="ApiKey", auto_error=False, description=_HELP)
_bearer = HTTPBearer(scheme_name="Bearer", auto_error=False, description=f"The same API key. {_HELP}")


def requires(scope: str) -> Callable[..., Awaitable[Caller]]:
    """A dependency that gives the caller, or raises `Unauthorized` or `Forbidden`."""

    async def check(
        request: Request,
        here: Here,
        _key: Annotated[object, Security(_header)],
        _token: Annotated[object, Security(_bearer)],
    ) -> Caller:
        caller = _caller(here, request)
        require(caller, scope)
        return caller

    return check


def _caller(here: Deployment, request: Request) -> Caller:
    if here.settings.auth == "keys":
        return here.access.caller(request.headers)
    return principal.caller(gateway.principal_of(request.scope["aws.event"]))


Reader = Annotated[Caller, Depends(requires("read"))]
Admin = Annotated[Caller, Depends(requires("admin"))]
