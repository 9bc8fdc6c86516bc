"""`/uploads`: a place to put a model, and what became of it."""

import time
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from coldpress import uploads
from coldpress.errors import TooLarge, Unavailable
from coldpress.registry import DEFAULT_ALIAS
from control.deployment import Deployment, Here
from control.failures import documented
from control.schemas import NAMED
from control.security import Admin, Reader

router = APIRouter(prefix="/uploads", tags=["uploads"])

FILENAME: dict[str, Any] = {
    "pattern": r"^[A-Za-z0-9_][A-Za-z0-9._-]*\.onnx$",
    "maxLength": uploads.MAX_FILENAME,
    "not": {"pattern": r"\.\."},
}


class Wish(BaseModel):
    """What is to be uploaded."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"model": "sentiment", "filename": "model.onnx", "size": 183_311}]},
    )
    model: str = Field(description="The model it becomes a version of.", json_schema_extra=NAMED)
    filename: str = Field(description="Ends in .onnx.", json_schema_extra=FILENAME)
    alias: str | None = Field(
        DEFAULT_ALIAS, description="Points here once ready; null: no alias moves.", json_schema_extra=NAMED
    )
    session: dict[Literal["arena", "memory_pattern"], StrictBool] = Field(
        default_factory=dict,
        description="How ONNX Runtime opens it, where not as usual. Both keep memory between requests.",
        examples=[{"arena": False}],
    )
    size: int | None = Field(None, ge=1, strict=True, description="Bytes, to be refused before, not after.")


class Ticket(BaseModel):
    """Send the file's bytes to `url` with `method` and `headers`; that request needs no API key."""

    id: str = Field(description="For `GET /uploads/{id}`.", examples=["sentiment.019a8c3e51b2d9f04c7be611"])
    method: Literal["PUT"] = "PUT"
    url: str
    headers: dict[str, str] = Field(description="To be sent with the file.")
    key: str = Field(description="Where the file will be in the object store.")
    expires: datetime = Field(description="When `url` stops working.")


class Progress(BaseModel):
    """What became of an upload."""

    id: str
    model: str
    state: Literal["waiting", "received", "checking", "ready", "rejected", "failed"]
    version: int | None = Field(None, description="Once ready.")
    alias: str | None = Field(None, description="Once ready: the alias that was to move.")
    reason: str | None = Field(None, description="Once rejected or failed.")
    tries: int | None = Field(None, description="Once failed: how often it was tried.")
    again: bool | None = Field(None, description="Once failed: whether it is tried again by itself.")


@router.post("", status_code=201, summary="Open an upload", responses=documented(400, 413))
async def open_upload(wish: Wish, request: Request, here: Here, _caller: Admin) -> Ticket:
    """Answers where to send the file. It becomes a version once it is checked; see `GET /uploads/{id}`."""
    limit = here.settings.max_model_bytes
    if wish.size is not None and wish.size > limit:
        raise TooLarge(
            f"{wish.filename} has {wish.size} bytes, the limit is {limit} (COLDPRESS_MAX_MODEL_BYTES)"
        )
    expires = int(time.time()) + here.settings.upload_seconds
    session = {str(name): choice for name, choice in wish.session.items()}
    upload = uploads.new_upload(here.store, wish.model, wish.filename, wish.alias, session=session)
    return Ticket(
        id=upload.id,
        url=_url(here, upload.key, expires, str(request.base_url)),
        headers={},
        key=upload.key,
        expires=datetime.fromtimestamp(expires, UTC),
    )


@router.get(
    "/{upload}",
    summary="What became of an upload",
    responses=documented(404),
    response_model_exclude_none=True,
)
async def show_upload(upload: str, here: Here, _caller: Reader) -> Progress:
    """waiting (for the file), received, checking, then ready, rejected, or failed: not the file's fault."""
    return Progress.model_validate(uploads.state_of(here.store, upload))


def _url(here: Deployment, key: str, expires: int, base: str) -> str:
    if here.store.folder is None:
        return here.store.presign_put(key, here.settings.upload_seconds)
    if not here.settings.upload_secret:
        raise Unavailable("a file:// store takes uploads only with COLDPRESS_UPLOAD_SECRET set")
    return base.rstrip("/") + uploads.sign_upload(here.settings.upload_secret, key, expires)
