"""SHA-256 of small things: `hashlib` loads OpenSSL, which is 2.5 ms of a cold start.

For megabytes `hashlib` is the right one: OpenSSL has the processor's own instructions, ten times as fast.
"""

try:
    from _sha2 import sha256  # type: ignore[import-not-found, unused-ignore]  # Python 3.12 and later
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]
    except ImportError:  # a Python that was built without its own
        from hashlib import sha256

__all__ = ["hmac_sha256", "sha256"]

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC (RFC 2104) with SHA-256: 32 bytes. The module `hmac` brings `hashlib` along."""
    key = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner = sha256(key.translate(_INNER) + message).digest()
    return bytes(sha256(key.translate(_OUTER) + inner).digest())
