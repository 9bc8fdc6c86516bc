"""API Gateway's event as Mangum reads it, with the host, the content type and the path put right."""

from typing import Any
from urllib.parse import unquote

from mangum.handlers import HTTPGateway
from mangum.types import Scope


class Gateway(HTTPGateway):
    """An HTTP API event, payload format 2.0."""

    @property
    def scope(self) -> Scope:
        """The ASGI scope."""
        event: dict[str, Any] = self.event
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        # `curl -d` marks its body as a form unless it is told otherwise, and nothing here takes forms.
        if headers.get("content-type") == "application/x-www-form-urlencoded":
            headers["content-type"] = "application/json"
        # Behind several proxies it is a list, the caller's own first; Starlette knows these two only.
        scheme = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
        headers["x-forwarded-proto"] = scheme if scheme in ("http", "https") else "https"
        # Mangum splits the host at every colon and fails on IPv6 ("[::1]:8000"); nothing here reads
        # the server address it makes of it, so it gets a host it can split.
        self.event = event | {"headers": headers | {"host": "gateway"}}
        scope: Scope = super().scope
        self.event = event
        scope["headers"] = [[name.encode(), value.encode()] for name, value in headers.items()]
        scope["aws.event"] = event
        scope["root_path"], scope["path"] = self._paths()
        return scope

    def _paths(self) -> tuple[str, str]:
        """What stands in front of every route of this request, and its whole path.

        A stage other than $default is part of the path, a base path may be: both belong into every
        link that is answered, and Mangum would only cut them off.
        """
        context = self.event["requestContext"]
        path, root = unquote(context["http"]["path"]), ""
        stage, base = context.get("stage", "$default"), self.config["api_gateway_base_path"].strip("/")
        for part in ("" if stage == "$default" else stage, base):
            if part and f"{path}/".startswith(f"{root}/{part}/"):
                root += f"/{part}"
        return root, path if path != root else f"{root}/"
