"""Signature Version 4 of GET requests.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import time
from collections.abc import Mapping

from coldpress.digest import hmac_sha256, sha256
from coldpress.typed import NamedTuple

UNSIGNED = "UNSIGNED-PAYLOAD"
"""A GET has no payload to sign."""


class Credentials(NamedTuple):
    """Of the function's role."""

    key_id: str
    secret: str
    token: str
    """Empty for long-lived credentials."""


def signed_head(
    path: str,
    host: str,
    region: str,
    credentials: Credentials,
    now: float,
    unsigned: Mapping[str, str],
) -> bytes:
    """The head of a GET request.

    Args:
        path: from the first `/`; only characters that need no percent-encoding.
        now: in seconds since the epoch.
        unsigned: more headers, which the signature leaves out.
    """
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {"host": host, "x-amz-content-sha256": UNSIGNED, "x-amz-date": at}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = ";".join(headers)
    canonical = "\n".join(
        ["GET", path, "", *[f"{name}:{value}" for name, value in headers.items()], "", names, UNSIGNED]
    )
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac_sha256(key, part.encode())
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope}, SignedHeaders={names}, "
        f"Signature={key.hex()}"
    )
    lines = [f"{name}: {value}" for name, value in {**headers, **unsigned}.items()]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "\r\n"]).encode()
