"""Reads whole objects and ranges of them from one bucket, with retries over kept connections."""

import time
from collections.abc import Mapping

from coldpress.aside import Aside
from coldpress.errors import InvalidRequest, NotFound, Unavailable
from coldpress.s3.connection import Broken, Connection, Reply
from coldpress.s3.signature import Credentials, signed_head
from coldpress.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl

# S3 says as much as "slow down" or "try again"; 408 may be about the connection's time and not the request's.
TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
# S3 closes idle connections after some seconds; one that nobody is behind any more costs a whole timeout.
IDLE_SECONDS = 30.0
# A cold request asks for its API key and its alias at the same time.
AHEAD = 2
ROOTS = f"{__file__.rpartition('/')[0]}/amazon_roots.pem"

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/")
_PLAIN_HOST = _PLAIN - {"/"} | {":"}
# Any of these asks for something that obstore knows and this module does not.
_SPECIAL = frozenset(
    {
        "AWS_ENDPOINT_URL_S3",
        "AWS_REQUEST_PAYER",
        "AWS_S3_EXPRESS",
        "AWS_SKIP_SIGNATURE",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        "ALL_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "all_proxy",
        "http_proxy",
        "https_proxy",
    }
)


class Untrusted(Exception):
    """The server's certificate is not vouched for by the authorities that are read here."""


class Limits(NamedTuple):
    """In seconds."""

    connect: float
    answer: float
    """Of one try, from the request to the last byte."""
    retry: float
    """No new try is begun once so much time has passed."""


class Reader:
    """One bucket. May be used by several threads at once."""

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        region: str,
        credentials: Credentials,
        limits: Limits,
        roots: str = ROOTS,
    ) -> None:
        """`endpoint`: `http://host:port`, or `https://host` whose certificate `roots` (a file) vouch for."""
        scheme, _, self._host = endpoint.rstrip("/").partition("://")
        self._tls = scheme == "https"
        name, _, port = self._host.partition(":")
        self._address = name, int(port) if port else (443 if self._tls else 80)
        self._path = f"/{bucket}/"
        self._region = region
        self._credentials = credentials
        self._limits = limits
        self._roots = roots
        self._context: ssl.SSLContext | None = None
        self._idle: list[Connection] = []
        if self._tls:
            # Loading TLS and shaking hands takes as long as opening ONNX Runtime: beside it, not after it.
            Aside(self.connect)

    def get(
        self, key: str, headers: Mapping[str, str] | None = None, into: memoryview | None = None
    ) -> Reply:
        """An answer of status 200, 206, 304 (not modified) or 416 (no such range).

        Args:
            headers: more of them, such as `range` and `if-none-match`.
            into: where the body of a success goes, if it has exactly that length.

        Raises:
            NotFound: no such object.
            Unavailable: any other refusal, or no answer.
            Untrusted: ask with another client.
        """
        began, pause = time.monotonic(), FIRST_PAUSE_SECONDS
        while True:
            try:
                reply = self._try(key, headers or {}, into)
            except (OSError, Broken) as error:
                if type(error).__name__ == "SSLCertVerificationError":  # `ssl` may not be imported
                    raise Untrusted(str(error)) from error
                refusal: Exception = Unavailable(f"object storage failed at {key}: {error}")
            else:
                if reply.status in (200, 206, 304, 416):
                    return reply
                refusal = _refusal(key, reply)
                if reply.status not in TEMPORARY:
                    raise refusal
            if time.monotonic() - began + pause >= self._limits.retry:
                raise refusal
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _try(self, key: str, headers: Mapping[str, str], into: memoryview | None) -> Reply:
        # Signed anew for each try: a signature is good for some minutes only.
        head = signed_head(
            self._path + key, self._host, self._region, self._credentials, time.time(), headers
        )
        deadline = time.monotonic() + self._limits.answer
        kept = self._kept()
        if kept is not None:
            try:
                return self._ask(kept, head, deadline, into)
            except (ConnectionError, Broken):
                kept.close()  # the server had, meanwhile; a new one may do better at once
        return self._ask(self._connected(), head, deadline, into)

    def _ask(self, connection: Connection, head: bytes, deadline: float, into: memoryview | None) -> Reply:
        try:
            return connection.ask(head, deadline, into)
        finally:
            if connection.reusable:
                self._idle.append(connection)
            else:
                connection.close()

    def _kept(self) -> Connection | None:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:  # not asked for before: another thread may take the last one meanwhile
                return None
            if connection.is_alive(IDLE_SECONDS):
                return connection
            connection.close()

    def _connected(self) -> Connection:
        if self._tls and self._context is None:
            import ssl

            # Not `create_default_context`: reading all the system's authorities takes 75 ms.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(self._roots)
            self._context = context
        return Connection(*self._address, self._context, self._limits.connect)

    def connect(self) -> None:
        """Makes connections ahead of the first request. What cannot be made is left to that request."""
        try:
            for _ in range(AHEAD):
                self._idle.append(self._connected())
        except OSError:
            return

    def reconnect(self) -> None:
        """Drops the kept connections."""
        while (connection := self._idle.pop() if self._idle else None) is not None:
            connection.close()


def _refusal(key: str, reply: Reply) -> Exception:
    """An answer that is none. A wrong bucket must not look like a missing key, model or API key."""
    text = bytes(reply.body).decode("utf-8", "replace")
    code, message = (text.partition(f"<{tag}>")[2].partition("<")[0] for tag in ("Code", "Message"))
    if reply.status == 404 and code != "NoSuchBucket":
        return NotFound(f"{key} is not in the store")
    if code == "KeyTooLongError":
        return InvalidRequest(f"{key!r} is no object key: it is too long for this store")
    return Unavailable(f"object storage failed at {key}: {code or f'status {reply.status}'}: {message}")


def plain_key(key: str) -> bool:
    """Whether a key needs no encoding and can be no way round: the reader takes no others."""
    return _PLAIN.issuperset(key) and key != "" and "//" not in f"/{key}/" and "/." not in f"/{key}"


def reader_for(url: str, environment: Mapping[str, str], limits: Limits) -> Reader | None:
    """A reader for a store's URL, or None where obstore must do it."""
    scheme, _, bucket = url.partition("://")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    credentials = Credentials(*(environment.get(name, "") for name in names))
    if not (credentials.key_id and credentials.secret and _SPECIAL.isdisjoint(environment)):
        return None
    if scheme != "s3" or "/" in bucket or not plain_key(bucket):
        return None
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    if not endpoint:
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        endpoint = f"https://s3.{region}.{domain}"
    elif not endpoint.startswith("http://") or not _PLAIN_HOST.issuperset(endpoint.rstrip("/")[7:]):
        return None
    return Reader(endpoint, bucket, region, credentials, limits)
