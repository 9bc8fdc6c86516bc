"""The shape that every protocol module has, and the one that a request wants."""

from coldpress.gateway import Request, Response
from coldpress.protocols.inference import Inference
from coldpress.registry import Manifest
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor
from coldpress.typed import Protocol


class Codec(Protocol):
    """A protocol module."""

    def decode(self, request: Request, _route: Route, manifest: Manifest, settings: Settings) -> Inference:
        """The tensors in a request's body. Raises `InvalidRequest`, `TooLarge`."""

    def encode(self, inference: Inference, manifest: Manifest, tensors: list[Tensor]) -> Response:
        """The outputs as the request wants them."""


_imported: dict[str, Codec] = {}


def codec(protocol: str) -> Codec:
    """The module of a protocol, imported when first asked for."""
    found = _imported.get(protocol)
    if found is None:
        found = _imported[protocol] = _import(protocol)
    return found


def _import(protocol: str) -> Codec:
    if protocol == "oip":
        from coldpress.protocols import oip

        return oip
    if protocol == "tfserving":
        from coldpress.protocols import tfserving

        return tfserving
    from coldpress.protocols import plain

    return plain
