"""Every error as its status and the body `{"error": "…"}`: ours, FastAPI's and the unexpected ones."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coldpress import errors
from control.telemetry import logger

METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
SHOWN_ERRORS = 3
SHOWN_CHARACTERS = 60


class Failure(BaseModel):
    """What went wrong, and how to put it right."""

    error: str = Field(examples=["model 'sentiment' has no version 9"])


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for errors; their words are the ones in `coldpress.errors`."""
    words = {status: (kind.__doc__ or "").partition("\n")[0] for kind, status in errors.STATUS.items()}
    rows: dict[int | str, dict[str, Any]] = {
        status: {"model": Failure, "description": words[status]} for status in sorted({401, 403, *statuses})
    }
    # Also keeps FastAPI from promising its own 422 with another body.
    return rows | {"default": {"model": Failure, "description": "Any other error."}}


def install(app: FastAPI) -> None:
    """Makes `app` answer every error in this form."""
    app.add_middleware(LastResort)
    for kind in (errors.ColdpressError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        error = errors.InvalidRequest(_sentence(error))
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_methods(request))
        error = _translated(request, error, headers)
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return failure(error, headers)


def failure(error: Exception, headers: dict[str, str] | None = None) -> Response:
    """The response that tells a caller about `error`."""
    return Response(errors.body_of(error), errors.status_of(error), headers, "application/json")


def _translated(request: Request, error: HTTPException, headers: dict[str, str]) -> errors.ColdpressError:
    path = request.url.path
    if error.status_code == 404:
        return errors.NotFound(f"no route {path}; see /docs")
    if error.status_code == 405:
        return errors.MethodNotAllowed(f"{path} takes {headers['Allow']}, not {request.method}")
    for kind, status in errors.STATUS.items():
        if status == error.status_code:
            return kind(error.detail)
    return errors.InvalidRequest(error.detail)


def _methods(request: Request) -> list[str]:
    # Starlette's own Allow header knows only the first of several routes with one path.
    def taken(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return [method for method in METHODS if taken(method)]


def _sentence(error: RequestValidationError) -> str:
    rows = error.errors()
    shown = "; ".join(_one(row) for row in rows[:SHOWN_ERRORS])
    return shown + (f"; and {len(rows) - SHOWN_ERRORS} more" if len(rows) > SHOWN_ERRORS else "")


def _one(row: dict[str, Any]) -> str:
    where = row["loc"][0]
    if row["type"] == "json_invalid":
        return f"the body is not JSON: {row['ctx']['error']}, at character {row['loc'][1]}"
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in row["loc"][1:])
    field = _clipped("".join(parts)[1:])
    if not field:
        return _whole(where, row)
    if row["type"] == "missing":
        return f"{field} is missing"
    if row["type"] == "extra_forbidden":
        return f"{field} is not known here"
    return f"{field} {_should(row)}, got {_clipped(repr(row['input']))}"


def _should(row: dict[str, Any]) -> str:
    return str(row["msg"]).replace("Input should", "should").replace("List should", "should")


def _clipped(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _whole(where: str, row: dict[str, Any]) -> str:
    if row["type"] == "missing":
        return f"the {where} is missing"
    if isinstance(row["input"], bytes):
        return "the body was not read as JSON: send content-type application/json"
    if row["type"] == "model_attributes_type":
        return "the body must be a JSON object"
    return f"the {where} {_should(row)}"


class LastResort:
    """Turns an exception nobody expected into a 500 without details, and logs the details.

    Not Starlette's handler for `Exception`: that one raises again, and Mangum would log it twice.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises again only when the response has begun."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            logger.exception("unexpected error", extra={"path": scope.get("path")})
            if started:
                raise
            await failure(error)(scope, receive, send)
