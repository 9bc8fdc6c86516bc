"""Open Inference Protocol (v2), with Triton's extensions.

https://github.com/kserve/open-inference-protocol
"""

from coldpress.protocols.oip.inference import decode, encode, tensors_of

__all__ = ["decode", "encode", "tensors_of"]
