"""COLDPRESS_AUTH=gateway: the gateway has checked the caller, so there is no API key to ask for."""

from coldpress.access import Caller
from coldpress.errors import Unauthorized


def caller(principal: str) -> Caller:
    """Whom the gateway let in may do everything: who that is, is the authorizer's to decide.

    Raises:
        Unauthorized: the gateway says nothing of a caller, so nobody has checked one.
    """
    if not principal:
        raise Unauthorized(
            "the gateway has checked no caller: with COLDPRESS_AUTH=gateway this route needs an authorizer "
            "(AuthMode jwt or iam in template.yaml)"
        )
    return Caller(principal, ("admin",), 0.0)
