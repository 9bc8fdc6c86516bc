"""A deployment over HTTP: publish a model, look at the registry, roll forward and back, predict."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

from coldpress.errors import ColdpressError, Conflict, InvalidRequest, NotFound, Unavailable
from coldpress.registry import DEFAULT_ALIAS, check_name
from coldpress_ops import transport
from coldpress_ops.upload_file import UploadFile

MAX_PORT = 65_535
WAIT_SECONDS = 900.0
ROUNDS = 5
"""How often shares are worked out anew when somebody else moves the alias meanwhile."""
POLL_SECONDS = 0.05, 2.0
"""The first pause between two looks at an upload, and the longest."""

_REDRIVE = "the file is kept: remove the cause, then send its event again (docs/operations.md, Redrive)"

OnProgress = Callable[[str, int, int], None]
"""Called with the state (`uploading`, then an upload's states), the bytes sent and the file's size."""


class Refused(ColdpressError):
    """The deployment checked the file and did not take it; the message is its reason."""


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What became of a published file. Times are in seconds."""

    model: str
    upload: str
    """The upload's id."""
    state: str
    """`ready`; without waiting, whatever the upload's state was."""
    version: int | None
    alias: str | None
    size: int
    """Bytes."""
    upload_seconds: float
    seconds: float
    """From the call to the version (or, without waiting, to the end of the upload)."""


class Client:
    """Talks to one deployment, local or not.

    Every method raises `transport.Unreachable` when nothing answers, and otherwise the error of
    `coldpress.errors` that belongs to the answer's status, with the server's own words. Reads,
    alias moves, uploads and predictions change nothing when repeated, so they are tried again
    after a broken connection or a 429, 502, 503 or 504.
    """

    def __init__(self, url: str, key: str = "") -> None:
        """Raises `InvalidRequest` for a URL or a key that cannot be one."""
        _check_url(url)
        if not (key.isascii() and key.isprintable()):
            raise InvalidRequest("the API key holds characters that no key has")
        self.url = url.rstrip("/")
        self._http = transport.connect(self.url, transport.TIMEOUT, {"x-api-key": key} if key else {})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    # ------------------------------------------------------------------ the registry
    def models(self) -> list[dict[str, Any]]:
        """Every model: `{"name", "latest", "aliases"}`."""
        found: list[dict[str, Any]] = self._json("GET", "/models")["models"]
        return found

    def model(self, name: str) -> dict[str, Any]:
        """One model with its versions, aliases, inputs and outputs."""
        return self._json("GET", f"/models/{check_name(name)}")

    def alias(self, name: str, alias: str = DEFAULT_ALIAS) -> dict[str, Any]:
        """Where an alias points: `{"model", "alias", "routes", "history"}`."""
        return self._json("GET", _alias_path(name, alias))

    def move(
        self, name: str, weights: dict[int, float], alias: str = DEFAULT_ALIAS, *, only_from: str = ""
    ) -> dict[str, Any]:
        """Points an alias at versions by weight; where it points now.

        `only_from` is the ETag of the position that the weights were worked out from.

        Raises:
            Conflict: the alias has left that position.
        """
        routes = [{"version": version, "weight": weight} for version, weight in weights.items()]
        headers = {"if-match": only_from} if only_from else {}
        return self._json("PUT", _alias_path(name, alias), json={"routes": routes}, headers=headers)

    def promote(
        self, name: str, version: int, alias: str = DEFAULT_ALIAS, weight: float = 1.0
    ) -> dict[str, Any]:
        """Gives a version this share of an alias's traffic; the others keep their proportions in the rest.

        Raises:
            InvalidRequest: a share below 1 when there is no other version to take the rest.
            Conflict: others keep moving the alias at the same time.
        """
        if weight == 1:
            return self.move(name, {version: 1.0}, alias)
        if not 0 < weight < 1:
            raise InvalidRequest(f"a weight is above 0 and at most 1, not {weight:g}")
        for _ in range(ROUNDS):
            # Who moved it in between is not undone: the shares are worked out anew from where it is now.
            with suppress(Conflict):
                return self._share(name, version, alias, weight)
        return self._share(name, version, alias, weight)

    def _share(self, name: str, version: int, alias: str, weight: float) -> dict[str, Any]:
        try:
            position, headers = self._answer("GET", _alias_path(name, alias))
            routes, etag = position["routes"], headers.get("etag", "")
        except NotFound:
            routes, etag = [], ""
        others = {row["version"]: row["weight"] for row in routes if row["version"] != version}
        if not others:
            raise InvalidRequest(
                f"alias {alias!r} of {name!r} has no other version to take the other {1 - weight:.0%}; "
                "leave the weight out"
            )
        rest = (1 - weight) / sum(others.values())
        shares = {other: share * rest for other, share in others.items()} | {version: weight}
        return self.move(name, shares, alias, only_from=etag)

    def rollback(self, name: str, alias: str = DEFAULT_ALIAS) -> dict[str, Any]:
        """Points an alias where it pointed before; where it points now."""
        return self._json("POST", f"{_alias_path(name, alias)}/rollback", again=False)

    def shadow(self, name: str, version: int | None, alias: str = DEFAULT_ALIAS) -> dict[str, Any]:
        """Lets a version run beside an alias's answers; None ends that. Where the alias points now."""
        path = f"{_alias_path(name, alias)}/shadow"
        if version is None:
            return self._json("DELETE", path)
        return self._json("PUT", path, json={"version": version})

    # ------------------------------------------------------------------ the data plane
    def predict(
        self,
        name: str,
        body: bytes | str,
        content_type: str = "application/json",
        *,
        alias: str | None = None,
        version: int | None = None,
    ) -> dict[str, Any]:
        """One answer, `{"predictions": […]}`; without alias and version, of what `prod` points at."""
        if alias and version is not None:
            raise InvalidRequest("give an alias or a version, not both")
        where = check_name(name)
        if version is not None:
            where += f"/versions/{version}"
        elif alias:
            where += f"@{check_name(alias, 'alias')}"
        return self._json(
            "POST", f"/models/{where}/predict", content=body, headers={"content-type": content_type}
        )

    # ------------------------------------------------------------------ publishing
    def publish(
        self,
        name: str,
        path: str | Path,
        alias: str | None = DEFAULT_ALIAS,
        *,
        wait: bool = True,
        session: Mapping[str, bool] | None = None,
        on_progress: OnProgress | None = None,
        wait_seconds: float = WAIT_SECONDS,
    ) -> PublishResult:
        """Uploads an ONNX file and, if `wait`, stays until it is a version.

        `session`: see `coldpress.registry.SESSION_SETTINGS`.

        Raises:
            InvalidRequest: no file that could be one, or a name that cannot be one.
            Refused: the deployment checked the file and did not take it.
            Unavailable: not ready within `wait_seconds`, and it goes on; or given up. Nothing is lost.
        """
        began = time.monotonic()
        report = on_progress or (lambda _state, _sent, _size: None)
        check_name(name)
        file = UploadFile(Path(path), lambda sent, size: report("uploading", sent, size))
        ticket = self._json(
            "POST",
            "/uploads",
            again=False,
            json={"model": name, "filename": file.name, "alias": alias, "size": file.size}
            | ({"session": dict(session)} if session else {}),
        )
        self._put(file, ticket)
        uploaded = time.monotonic()
        answer: dict[str, Any] = {"state": "received"}
        if wait:
            answer = self._wait_for(
                ticket["id"], lambda state: report(state, file.size, file.size), wait_seconds
            )
        return PublishResult(
            model=name,
            upload=ticket["id"],
            state=answer["state"],
            version=answer.get("version"),
            alias=alias,
            size=file.size,
            upload_seconds=uploaded - began,
            seconds=time.monotonic() - began,
        )

    def upload(self, upload_id: str) -> dict[str, Any]:
        """What became of an upload: `{"id", "model", "state", "version"?, "alias"?, "reason"?}`."""
        return self._json("GET", f"/uploads/{upload_id}")

    def _put(self, file: UploadFile, ticket: dict[str, Any]) -> None:
        # Without our API key: the URL, which may be another server's, is a permission by itself.
        with transport.connect(ticket["url"], transport.UPLOAD_TIMEOUT, {}) as http:
            headers = ticket["headers"] | {"content-length": str(file.size)}
            response = transport.answered(
                http, ticket["method"], ticket["url"], content=file, headers=headers
            )
        if not response.is_success:
            raise transport.error_of(response)

    def _wait_for(self, upload_id: str, report: Callable[[str], None], wait_seconds: float) -> dict[str, Any]:
        pause, longest = POLL_SECONDS
        end = time.monotonic() + wait_seconds
        while True:
            answer = self.upload(upload_id)
            report(answer["state"])
            if answer["state"] == "ready":
                return answer
            if answer["state"] == "rejected":
                raise Refused(answer["reason"])
            if answer["state"] == "failed" and not answer["again"]:
                raise Unavailable(f"given up after {answer['tries']} tries: {answer['reason']}; {_REDRIVE}")
            if time.monotonic() + pause > end:
                why = f" ({answer['reason']})" if "reason" in answer else ""
                raise Unavailable(
                    f"the upload {upload_id} is {answer['state']}{why} after {wait_seconds:g} s; "
                    f"it is not lost: see GET {self.url}/uploads/{upload_id}"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, longest)

    # ------------------------------------------------------------------ training runs
    def runs(self, limit: int = 20) -> list[dict[str, Any]]:
        """Training runs, newest first: records as `coldpress.runs.Run` has them."""
        found: list[dict[str, Any]] = self._json("GET", "/runs", params={"limit": limit})["runs"]
        return found

    def run(self, run_id: str) -> dict[str, Any]:
        """One training run."""
        return self._json("GET", f"/runs/{quote(run_id, safe='')}")

    def run_logs(self, run_id: str, after: str = "") -> dict[str, Any]:
        """A part of a run's log: `{"text", "next"}`."""
        return self._json("GET", f"/runs/{quote(run_id, safe='')}/logs", params={"after": after})

    def start_run(self, recipe: str, **wishes: Any) -> dict[str, Any]:
        """Starts a training run where the deployment has a training stack; its record."""
        return self._json("POST", "/runs", again=False, json={"recipe": recipe} | wishes)

    def stop_run(self, run_id: str) -> dict[str, Any]:
        """Asks a run to end; its record."""
        return self._json("DELETE", f"/runs/{quote(run_id, safe='')}", again=False)

    # ------------------------------------------------------------------ HTTP
    def _json(self, method: str, path: str, *, again: bool = True, **request: Any) -> dict[str, Any]:
        return self._answer(method, path, again=again, **request)[0]

    def _answer(
        self, method: str, path: str, *, again: bool = True, **request: Any
    ) -> tuple[dict[str, Any], httpx.Headers]:
        response = transport.answered(self._http, method, self.url + path, again=again, **request)
        if not response.is_success:
            raise transport.error_of(response)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Unavailable(
                f"{self.url} answers, but not as a Coldpress deployment does; is the URL right?"
            )
        return answer, response.headers


def _check_url(url: str) -> None:
    try:
        parts = httpx.URL(url)
        urlsplit(url)  # refuses half an IPv6 address, which httpx takes for a name
    except (httpx.InvalidURL, ValueError):
        parts = httpx.URL("")
    if parts.scheme not in ("http", "https") or not parts.host or (parts.port or 0) > MAX_PORT:
        raise InvalidRequest(f"{url!r} is no URL of a deployment: give one like http://127.0.0.1:8000")


def _alias_path(name: str, alias: str) -> str:
    return f"/models/{check_name(name)}/aliases/{check_name(alias, 'alias')}"
