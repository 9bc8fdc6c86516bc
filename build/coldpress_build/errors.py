"""The build plane's own errors. Each message names the value, the limit and the fix."""

from coldpress.errors import InvalidRequest


class BuildError(InvalidRequest):
    """Training, export or press cannot go on with what it was given."""


class DataError(BuildError):
    """The data cannot be had, read or used."""


class ConfigurationError(BuildError):
    """A recipe's setting is unknown, of the wrong type or out of range."""
