"""obstore, and its exceptions as ours. Imported only where obstore is needed: it costs 15 ms."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import LocalStore, ObjectStore, from_url

from coldpress.errors import Conflict, InvalidRequest, NotFound, Unavailable

__all__ = ["obstore", "opened", "reason", "translated"]

LONGEST_PAUSE_SECONDS = 1


def opened(
    url: str, folder: str | None, connect_seconds: int, seconds: int, retry_seconds: int
) -> ObjectStore:
    """The store at `url`; a folder's is made if it is not there. Raises whatever obstore does.

    A connection and a request may take so many seconds, and no new try begins after `retry_seconds`.
    """
    if folder is not None:
        return LocalStore(folder or "/", mkdir=True)
    return from_url(
        url,
        retry_config={
            "retry_timeout": timedelta(seconds=retry_seconds),
            "backoff": {"max_backoff": timedelta(seconds=LONGEST_PAUSE_SECONDS)},
        },
        client_options={
            "timeout": f"{seconds}s",
            "connect_timeout": f"{connect_seconds}s",
            # Plain HTTP only where the endpoint itself says so: a stand-in on this machine.
            "allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
        },
    )


@contextmanager
def translated(key: str) -> Iterator[None]:
    """obstore's exceptions as ours."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        # A wrong bucket must not look like a missing key, model or API key.
        if "<Code>NoSuchBucket" in str(error):
            raise Unavailable(f"object storage failed at {key}: {reason(error)}") from error
        raise NotFound(f"{key} is not in the store") from None
    except (AlreadyExistsError, PreconditionError):
        raise Conflict(f"{key} was written by somebody else first") from None
    except ValueError as error:
        raise InvalidRequest(f"{key!r} is no object key: {error}") from None
    except (BaseError, OSError) as error:
        if "Not a directory (os error" in str(error):  # a folder has no a/b while a is a file
            raise NotFound(f"{key} is not in the store") from None
        if "File name too long (os error" in str(error) or "<Code>KeyTooLongError" in str(error):
            raise InvalidRequest(f"{key!r} is no object key: it is too long for this store") from None
        raise Unavailable(f"object storage failed at {key}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """An error of obstore on one line and without URLs: S3's own code and message, else the last part of the
    first line."""
    text = str(error)
    code, message = (text.partition(f"<{tag}>")[2].partition("<")[0] for tag in ("Code", "Message"))
    return f"{code}: {message}" if code else text.partition("\n")[0].rpartition(" - ")[2]
