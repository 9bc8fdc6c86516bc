"""Whether a deployment answers: health, the key, the models."""

import socket
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx

from coldpress import __version__
from coldpress.errors import ColdpressError, Forbidden, NotFound, Unauthorized, Unavailable
from coldpress_ops import transport
from coldpress_ops.client import Client
from coldpress_ops.doctor.findings import Broken, Finding, Note, find

CONNECT_SECONDS = 2
LOCAL_TIMEOUT = httpx.Timeout(10, connect=CONNECT_SECONDS)
"""What holds a port on this machine may never answer; whoever looks for faults waits for no gateway then."""
_ELSEWHERE = "check the URL: it is the stack's output Url"
_ANOTHER_PORT = "stop what listens there, or coldpress up --port 8080 and --url http://127.0.0.1:8080"
_KEY = "coldpress keys create --read (with --state DIR or --store s3://BUCKET) makes one; give it with --key"


def look_at(url: str, key: str) -> Iterator[Finding]:
    """One finding after the other; no more than makes sense after what was found.

    Raises:
        InvalidRequest: no URL, or no key that could be one.
    """
    headers = {"x-api-key": key} if key else {}
    timeout = LOCAL_TIMEOUT if transport.is_local(url) else transport.TIMEOUT
    with Client(url, key) as client, transport.connect(client.url, timeout, headers) as http:
        get = partial(_get, http, client.url)
        server = find("server", partial(_server, client.url, get))
        yield server
        if server.level != "ok":
            return
        access = find("API key", partial(_key, get))
        yield access
        if access.level != "broken":
            yield find("models", partial(_models, client, get))


def _get(http: httpx.Client, url: str, path: str) -> dict[str, Any]:
    response = transport.answered(http, "GET", url + path)
    if not response.is_success:
        raise transport.error_of(response)
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unavailable(f"{url} answers, but not as Coldpress does")
    return answer


def _server(url: str, get: Any) -> str:
    local = transport.is_local(url)
    try:
        if get("/v2/health/ready") != {"ready": True}:
            raise Broken(f"{url} answers, but not as Coldpress does", _ANOTHER_PORT if local else _ELSEWHERE)
    except transport.Unreachable as error:
        if not local:
            raise Broken(str(error), _ELSEWHERE) from None
        if not _is_taken(url):
            raise Note(f"nothing runs at {url}", "coldpress up, when you want a server") from None
        raise Broken(f"something that speaks no HTTP holds {url}", _ANOTHER_PORT) from None
    except ColdpressError as error:
        raise Broken(str(error), _ANOTHER_PORT if local else _ELSEWHERE) from None
    return f"{url} is ready"


def _is_taken(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _key(get: Any) -> str:
    try:
        version = get("/v2")["version"]
    except (Unauthorized, Forbidden) as error:
        raise Broken(str(error).partition("; give a key")[0], _KEY) from None
    if version != __version__:
        raise Note(
            f"works; the server is coldpress {version}, this is {__version__}",
            f"pip install coldpress=={version}, or coldpress deploy",
        )
    return f"works; the server is coldpress {version} too"


def _models(client: Client, get: Any) -> str:
    try:
        names = [row["name"] for row in client.models()]
    except Forbidden as error:
        raise Note(str(error), "it may still ask models; a key made with --read may look at them") from None
    if not names:
        raise Note("none yet", "coldpress publish NAME FILE")
    reasons = [reason for name in names for reason in _unready(name, get)]
    if reasons:
        raise Broken("; ".join(reasons), "coldpress show NAME, then coldpress promote NAME VERSION")
    return f"{len(names)} ready: {', '.join(names)}"


def _unready(name: str, get: Any) -> list[str]:
    try:
        get(f"/v2/models/{name}/ready")
    except NotFound as error:
        return [str(error)]
    return []
