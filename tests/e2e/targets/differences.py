"""Where the targets answer otherwise than each other. The tests ask here, so that none is written twice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Differences:
    """The defaults are AWS's."""

    unknown_route: tuple[int, str] = (404, "message")
    """The answer on a path that the template has no route for: status, and the JSON object's only key."""


LOCAL = Differences(unknown_route=(404, "error"))
STANDIN = Differences()
SAM = Differences(unknown_route=(403, "message"))
