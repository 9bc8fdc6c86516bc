"""Every error a caller may see, and the one table that gives each its HTTP status."""

import json


class ColdpressError(Exception):
    """Base of all errors whose message is meant for the caller."""

    headers: dict[str, str] = {}  # noqa: RUF012 - a constant of the class
    """Headers of the answer that tell a client how to do better."""


class InvalidRequest(ColdpressError):
    """The request cannot be understood or does not fit the model."""


class Unauthorized(ColdpressError):
    """No API key, or one that is unknown or expired."""


class Forbidden(ColdpressError):
    """The API key is good, but its scopes do not cover this."""


class NotFound(ColdpressError):
    """No such route, model, version, alias or upload."""


class MethodNotAllowed(ColdpressError):
    """The route exists, the HTTP method does not."""


class Conflict(ColdpressError):
    """Somebody else wrote first; nothing was changed."""


class TooLarge(ColdpressError):
    """Over a limit that a setting or the platform gives; the message names it."""


class Unprocessable(ColdpressError):
    """Understood, but the answer cannot be given in the form asked for."""


class Unsupported(ColdpressError):
    """A legal request for something this server does not do."""


class Unavailable(ColdpressError):
    """Cannot answer now; trying again later may work."""

    headers = {"retry-after": "1"}  # noqa: RUF012 - a constant of the class


class Internal(ColdpressError):
    """A fault on this side. The message says what failed, never why in detail."""


STATUS: dict[type[ColdpressError], int] = {
    InvalidRequest: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    TooLarge: 413,
    Unprocessable: 422,
    Internal: 500,
    Unsupported: 501,
    Unavailable: 503,
}


def status_of(error: BaseException) -> int:
    """The HTTP status of `error`: its own row, else its nearest base's row, else 500."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500


def message_of(error: BaseException) -> str:
    """What the caller reads. An error that is not ours keeps its details to the log."""
    return str(error) if isinstance(error, ColdpressError) else "internal error; the log has the details"


def body_of(error: BaseException) -> bytes:
    """The JSON body of an error: always `{"error": "…"}`."""
    # A message may quote what the caller sent, half a surrogate pair included: it must still be answered.
    return json.dumps({"error": message_of(error)}, ensure_ascii=False).encode("utf-8", "replace")
