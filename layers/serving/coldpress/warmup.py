"""The request that makes a freshly opened model do all of its one-time work.

It is an Open Inference Protocol request in which an input may leave out `data`: it is then all zeros,
or empty strings. That keeps a picture's worth of zeros out of the manifest, which every cold request reads.
"""

from coldpress.errors import InvalidRequest
from coldpress.protocols import oip
from coldpress.settings import Settings
from coldpress.tensors import DATATYPES, Tensor, element_count
from coldpress.typed import Any


def tensors_of(request: dict[str, Any], settings: Settings) -> list[Tensor]:
    """The tensors of a warm-up request. Raises `InvalidRequest`, `TooLarge`."""
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise InvalidRequest('"inputs" must be a list of tensors: [{"name", "shape", "datatype", "data"?}]')
    blank = [row for row in inputs if isinstance(row, dict) and "data" not in row]
    if len(blank) == len(inputs):
        return [_zeros(row, settings.max_elements) for row in blank]
    given = [row for row in inputs if row not in blank]
    return [
        *oip.tensors_of({"inputs": given}, settings),
        *(_zeros(row, settings.max_elements) for row in blank),
    ]


def _zeros(row: dict[str, Any], max_elements: int) -> Tensor:
    name, shape, known = row.get("name"), row.get("shape"), DATATYPES.get(str(row.get("datatype")))
    if not isinstance(name, str) or known is None or not isinstance(shape, list):
        raise InvalidRequest(f'an input without "data" needs a name, a shape and a datatype: {row!r:.120}')
    if not all(type(n) is int and n >= 0 for n in shape) or element_count(shape) > max_elements:
        raise InvalidRequest(
            f"input {name!r}: shape {shape!r:.80} must be whole numbers from 0, with a product of at most "
            f"{max_elements}"
        )
    count = element_count(shape)
    return Tensor(name, known.name, shape, bytes(count * known.size) if known.size else [b""] * count)
