"""`GET /`: whether anything answers here."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """TensorFlow Serving's clients ask for this."""

    status: Literal["alive"] = "alive"


@router.get("/", summary="Whether the server is there")
async def alive() -> Health:
    """Needs no API key."""
    return Health()
