"""An identity provider for tests: it signs tokens, and tells its public key to whoever asks."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE = "coldpress"


class Issuer:
    """`url` is the `iss` of its tokens; its key set lies where OpenID Connect says."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, **claims: Any) -> str:
        """A token of somebody, good for an hour; `claims` replace its own."""
        now = int(time.time())
        body = {"iss": self.url, "sub": "somebody", "aud": AUDIENCE, "iat": now - 1, "exp": now + 3600}
        head = {"alg": "RS256", "kid": "1"}
        signed = ".".join(_encoded(json.dumps(each).encode()) for each in (head, body | claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encoded(signature)}"

    def document(self, path: str) -> dict[str, Any]:
        """What it answers at a path."""
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        public = self._key.public_key().public_numbers()
        numbers = {
            "n": _encoded(public.n.to_bytes(256, "big")),
            "e": _encoded(public.e.to_bytes(3, "big")),
        }
        return {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", **numbers}]}


@contextmanager
def running() -> Iterator[Issuer]:
    """An issuer on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(issuer.document(self.path)).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = Issuer(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield issuer
        server.shutdown()
        thread.join()


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
