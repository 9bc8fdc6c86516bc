"""Which route answers a request, by API Gateway's rules for HTTP APIs.

The most specific path wins: literal before `{parameter}` before `{greedy+}`, from the left; between
equal paths a method of its own wins over ANY. A route that has another method is no match, so the
next best path is tried, and HEAD and OPTIONS are methods like any other.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

from collections.abc import Iterable

from coldpress_ops.local.application import Route

LITERAL, PARAMETER, GREEDY = range(3)


class Router:
    """The routes of one API."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Orders the routes once, best first."""
        self._routes = [(route, route.path.split("/")[1:]) for route in sorted(routes, key=_rank)]

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a request and the values of its path parameters; None: there is none."""
        segments = path.split("/")[1:]
        for route, pattern in self._routes:
            if route.method in (method, "ANY"):
                parameters = _fit(pattern, segments)
                if parameters is not None:
                    return route, parameters
        return None


def _kind(segment: str) -> int:
    if segment.endswith("+}"):
        return GREEDY
    return PARAMETER if segment.startswith("{") else LITERAL


def _rank(route: Route) -> tuple[list[int], bool]:
    return [_kind(segment) for segment in route.path.split("/")[1:]], route.method == "ANY"


def _fit(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    """The parameters' values when the segments of a path fit; a parameter is never empty."""
    parameters: dict[str, str] = {}
    for position, expected in enumerate(pattern):
        kind = _kind(expected)
        if position == len(segments):
            return None
        if kind == GREEDY:
            rest = "/".join(segments[position:])
            return parameters | {expected[1:-2]: rest} if rest else None
        found = segments[position]
        if kind == PARAMETER and found:
            parameters[expected[1:-1]] = found
        elif found != expected or kind == PARAMETER:
            return None
    return parameters if len(segments) == len(pattern) else None
