"""Where the targets answer otherwise than each other. The tests ask here, so that none is written twice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Differences:
    """The defaults are AWS's. Answers are a status and the first key of their JSON object."""

    unknown_route: tuple[int, str] = (404, "message")
    """The answer on a path that the template has no route for."""
    body_over_limit: tuple[int, str] = (413, "message")
    """The answer on a body that is larger than the gateway takes."""


# Without a limit of their own these two leave it to the function.
LOCAL = Differences(unknown_route=(404, "error"), body_over_limit=(413, "error"))
STANDIN = Differences(body_over_limit=(413, "error"))
# An event over 6 MB is cut short on its way into the container; an error of a function is a 200, not a 500.
SAM = Differences(unknown_route=(403, "message"), body_over_limit=(200, "errorMessage"))

# Tests that a target cannot run, by function: why.
LACKS: dict[str, dict[str, str]] = {
    "sam": {"test_head": "`sam local` has no route for HEAD where there is one for GET"},
}
