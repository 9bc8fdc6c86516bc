"""How an invocation can fail. The messages are fit for callers; the details are the operator's."""

import json

from coldpress.errors import Internal, Unavailable


class FunctionFailed(Internal):
    """The handler raised; `payload` is what the runtime reported (JSON)."""

    def __init__(self, name: str, payload: bytes) -> None:
        """`payload`: `{"errorMessage", "errorType", "stackTrace", …}`."""
        super().__init__(f"{name} failed; its log has the details")
        self.payload = payload

    @property
    def detail(self) -> str:
        """The error's type and message, for the operator."""
        try:
            report = json.loads(self.payload)
            return f"{report['errorType']}: {report['errorMessage']}"
        except (ValueError, KeyError, TypeError):
            return self.payload[:500].decode(errors="replace")


class InitFailed(FunctionFailed):
    """The handler's module could not be loaded."""


class Crashed(Internal):
    """The process ended. `delivered`: it had been given the event by then."""

    def __init__(self, name: str, status: int | None, delivered: bool) -> None:
        """`status`: exit status, negative for a signal."""
        super().__init__(f"{name} ended (exit status {status}) before it answered; its log has the details")
        self.delivered = delivered


class TimedOut(Unavailable):
    """The function was killed at its timeout."""
