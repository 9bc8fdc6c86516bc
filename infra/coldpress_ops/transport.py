"""HTTP as the client speaks it: timeouts, second tries, and answers that are errors."""

from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from coldpress import __version__
from coldpress.errors import STATUS, ColdpressError, Unauthorized, Unavailable

# API Gateway gives up after 30 s; a client that gives up first would ask again for nothing.
TIMEOUT = httpx.Timeout(35, connect=5)
UPLOAD_TIMEOUT = httpx.Timeout(60, connect=10)
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Unreachable(Unavailable):
    """Nothing answers at the URL."""


def is_local(url: str) -> bool:
    """Whether a URL names this machine."""
    try:
        return urlsplit(url).hostname in LOCAL_HOSTS
    except ValueError:  # no URL at all: whoever connects says so
        return False


def connect(url: str, timeout: httpx.Timeout, headers: dict[str, str]) -> httpx.Client:
    """Connections to the server of `url`."""
    return httpx.Client(
        timeout=timeout,
        headers={"user-agent": f"coldpress/{__version__}"} | headers,
        # A proxy for the world outside is of no use on this machine.
        trust_env=not is_local(url),
        # Loading the certificates takes 20-75 ms; redirects, which could lead to https, are not followed.
        verify=url.startswith("https:"),
    )


_TRANSIENT = frozenset({429, 502, 503, 504})


def _last_outcome(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None


_patiently = Retrying(
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(multiplier=0.4, max=3),
    # Not after a timeout: whoever waited 35 s once wants to know.
    retry=retry_if_exception_type((httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError))
    | retry_if_result(lambda response: response.status_code in _TRANSIENT),
    retry_error_callback=_last_outcome,
)


def answered(
    http: httpx.Client, method: str, url: str, *, again: bool = True, **request: Any
) -> httpx.Response:
    """The response, after as many tries as are useful. Raises `Unreachable`, `Unavailable`."""
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    try:
        if again:
            return _patiently(http.request, method, url, **request)
        return http.request(method, url, **request)
    except httpx.ConnectError as error:
        hint = "; start one with: coldpress up" if is_local(url) else f": {error}"
        raise Unreachable(f"cannot reach {base}{hint}") from None
    except httpx.ConnectTimeout:
        raise Unreachable(f"cannot reach {base}: no connection within {TIMEOUT.connect:g} s") from None
    except httpx.TimeoutException:
        raise Unavailable(f"{base} did not answer within {http.timeout.read:g} s") from None
    except httpx.TransportError as error:
        raise Unavailable(f"the connection to {base} broke: {error}") from None


def error_of(response: httpx.Response) -> ColdpressError:
    """The error of `coldpress.errors` that an answer's status stands for, with the server's words."""
    message = _message(response)
    for kind, status in STATUS.items():
        if status == response.status_code:
            if kind is Unauthorized:
                message += "; give a key with --key or COLDPRESS_API_KEY"
            return kind(message)
    return Unavailable(message)


def _message(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        # "message" is API Gateway's own word.
        for key in ("error", "message"):
            if isinstance(body.get(key), str):
                return str(body[key])
    url = response.request.url.copy_with(query=None)
    return (
        f"{response.request.method} {url} answered {response.status_code} {response.reason_phrase}".rstrip()
    )
