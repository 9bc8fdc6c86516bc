"""What every protocol's request comes down to."""

from coldpress.tensors import Tensor
from coldpress.typed import Any, NamedTuple


class Inference(NamedTuple):
    """Tensors in, and which to give out."""

    tensors: list[Tensor]
    outputs: list[str] | None
    """Names, in the order to answer; None: all."""
    form: Any = None
    """What the protocol's own `encode` needs to answer in kind."""
