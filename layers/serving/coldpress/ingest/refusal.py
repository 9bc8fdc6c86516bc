"""The one way in which an upload fails for good."""

from coldpress.errors import InvalidRequest


class Refused(InvalidRequest):
    """The upload cannot become a version. The message says why, and what to do about it."""
