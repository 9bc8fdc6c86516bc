"""What a cold request reads from S3, without obstore."""

import contextlib
import hashlib
import hmac
import itertools
import select
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from coldpress import s3
from coldpress.aside import each
from coldpress.digest import hmac_sha256, sha256
from coldpress.errors import InvalidRequest, NotFound, Unavailable
from coldpress.s3.signature import Credentials, signed_head
from coldpress.store import Store

from .conftest import ACCESS_KEY, SECRET_KEY, LaxS3

LIMITS = s3.Limits(connect=2, answer=2, retry=1)
LAMBDA = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-3"}


def reader_of(store_url: str, endpoint: str, roots: str = s3.reader.ROOTS) -> s3.Reader:
    bucket = store_url.removeprefix("s3://")
    return s3.Reader(endpoint, bucket, "us-east-1", Credentials(ACCESS_KEY, SECRET_KEY, ""), LIMITS, roots)


@pytest.mark.parametrize("length", [0, 3, 64, 65, 200])
def test_hashes_are_the_standard_librarys(length: int) -> None:
    key, message = bytes(range(length)), b"message" * length
    assert sha256(message).hexdigest() == hashlib.sha256(message).hexdigest()
    assert hmac_sha256(key, message) == hmac.new(key, message, "sha256").digest()


@pytest.mark.parametrize("token", ["", "a+session/token=="])
def test_a_signature_is_botocores(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head = signed_head(
        "/bucket/models/a/1.ort", "s3.eu-west-3.amazonaws.com", "eu-west-3",
        Credentials("AKID", "secret", token), 1767225600.0, {"range": "bytes=0-9"},
    ).decode()  # fmt: skip
    request = AWSRequest("GET", "https://s3.eu-west-3.amazonaws.com/bucket/models/a/1.ort")
    # The reader leaves the payload unsigned, as there is none.
    request.context["payload_signing_enabled"] = False
    request.context["timestamp"] = "20260101T000000Z"
    signer = S3SigV4Auth(BotoCredentials("AKID", "secret", token or None), "s3", "eu-west-3")
    monkeypatch.setattr(signer, "_should_sha256_sign_payload", lambda _: False)
    request.headers["X-Amz-Date"] = "20260101T000000Z"
    if token:
        request.headers["X-Amz-Security-Token"] = token
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert head.partition("Signature=")[2].partition("\r\n")[0] == signer.signature(text, request)
    assert "range: bytes=0-9\r\n" in head
    assert head.endswith("\r\n\r\n")


@pytest.mark.parametrize("key", ["a", "models/m-1/versions/7/model.ort", "keys/0f.json", "a/b_c/D.E"])
def test_plain_keys(key: str) -> None:
    assert s3.plain_key(key)


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".a", "a b", "a%20", "ä", "a?b", "a\n"]
)
def test_keys_that_are_left_to_obstore(key: str) -> None:
    assert not s3.plain_key(key)


@pytest.mark.parametrize(
    ("url", "more", "address"),
    [
        ("s3://bucket", {}, ("s3.eu-west-3.amazonaws.com", 443)),
        ("s3://bucket", {"AWS_REGION": "cn-north-1"}, ("s3.cn-north-1.amazonaws.com.cn", 443)),
        ("s3://bucket", {"AWS_REGION": "", "AWS_DEFAULT_REGION": "a-1"}, ("s3.a-1.amazonaws.com", 443)),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "http://127.0.0.1:8333/"}, ("127.0.0.1", 8333)),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "http://store"}, ("store", 80)),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "https://127.0.0.1:8333"}, None),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "http://store/path"}, None),
        ("s3://bucket", {"AWS_ENDPOINT_URL": "http://[::1]:8333"}, None),
        ("s3://bucket", {"AWS_SECRET_ACCESS_KEY": ""}, None),
        ("s3://bucket", {"AWS_ACCESS_KEY_ID": ""}, None),
        ("s3://bucket", {"HTTPS_PROXY": "http://proxy"}, None),
        ("s3://bucket", {"AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true"}, None),
        ("s3://bucket/prefix", {}, None),
        ("gs://bucket", {}, None),
    ],
)  # fmt: skip
def test_only_the_plain_case_is_read_here(
    url: str, more: dict[str, str], address: tuple[str, int] | None
) -> None:
    reader = s3.reader_for(url, LAMBDA | more, LIMITS)
    assert (reader and reader._address) == address


def test_a_lambda_reads_without_obstore(s3_url: str) -> None:
    store = Store(s3_url)
    store.create("a", b"1")
    reading = Store(s3_url)
    assert (reading.get("a").data, reading.fetch("a", 1)[:]) == (b"1", b"1")
    assert reading._opened is None


def test_a_connection_is_kept(s3_url: str, s3_environment: str) -> None:
    Store(s3_url).create("a", b"1")
    reader = reader_of(s3_url, s3_environment)
    used = []
    for _ in range(3):
        reader.get("a")
        used += reader._idle
    assert len({id(connection) for connection in used}) == 1
    reader.reconnect()
    assert reader._idle == []
    assert bytes(reader.get("a").body) == b"1"


def test_a_connection_that_was_closed_meanwhile_is_replaced_at_once(lax_s3: LaxS3) -> None:
    lax_s3.objects["/bucket/a"] = b"1"
    reader = reader_of("s3://bucket", lax_s3.url)
    for _ in range(2):
        reader.get("a")
        (kept,) = reader._idle
        # Both ways: noticed before it is used, and not before the request is lost with it.
        kept._socket.shutdown(socket.SHUT_RD if _ else socket.SHUT_RDWR)
        assert bytes(reader.get("a").body) == b"1"


@contextlib.contextmanager
def saying(talk: Callable[[socket.socket, int], object]) -> Iterator[s3.Reader]:
    """A reader of a server that reads a request of each connection and then talks; it counts them from 0."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                for number in itertools.count():
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        talk(connection, number)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield reader_of("s3://bucket", f"http://127.0.0.1:{server.getsockname()[1]}")
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "closed in the middle of the answer"),
        (b"SSH-2.0-x\r\n\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "the answer is no HTTP"),
        (b"x" * 70000, "the head of the answer has no end"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "does not say how long it is"),
        (b"HTTP/1.1 206 OK\r\nConnection: close\r\n\r\n{}", "does not say how long it is"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "does not say how long it is",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "Content-Length is no length: -5"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}", "Content-Length is no length: 2, 2"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "is no length: 999"),
    ],
)  # fmt: skip
def test_what_is_no_whole_answer_is_asked_for_again_and_then_told(answer: bytes, reason: str) -> None:
    with (
        saying(lambda connection, _: connection.sendall(answer)) as reader,
        pytest.raises(Unavailable, match=f"object storage failed at a: .*{reason}"),
    ):
        reader.get("a")

    def better(connection: socket.socket, number: int) -> None:
        connection.sendall(WHOLE if number else answer)

    with saying(better) as reader:
        assert bytes(reader.get("a").body) == b"{}"


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
LATE = b"HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def test_what_a_server_says_before_it_closes_is_not_the_next_answer() -> None:
    answered = threading.Semaphore(0)

    def talk(connection: socket.socket, _: int) -> None:
        connection.sendall(WHOLE)
        answered.acquire(timeout=10)
        connection.sendall(LATE)

    with saying(talk) as reader:
        for _ in range(2):
            assert bytes(reader.get("a").body) == b"{}"
            (kept,) = reader._idle
            answered.release()
            select.select([kept._socket], [], [], 10)
            assert not kept.is_alive(3600)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("404 Not Found", "NoSuchKey", NotFound),
        ("404 Not Found", "NoSuchBucket", Unavailable),
        ("403 Forbidden", "AccessDenied", Unavailable),
        ("400 Bad Request", "KeyTooLongError", InvalidRequest),
    ],
)
@pytest.mark.parametrize("chunked", [True, False])
def test_an_error_that_comes_after_its_head(status: str, code: str, kind: type, chunked: bool) -> None:
    """As S3 sends them: in chunks, and in TLS a record of their own."""
    text = f"<?xml?><Error><Code>{code}</Code><Message>no</Message></Error>"
    head = f"HTTP/1.1 {status}\r\n" + "Transfer-Encoding: chunked\r\n" * chunked + "\r\n"

    def late(connection: socket.socket, _: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head.encode())
        time.sleep(0.05)
        connection.sendall(f"{len(text):x}\r\n{text}\r\n0\r\n\r\n".encode() if chunked else text.encode())

    with saying(late) as reader, pytest.raises(kind) as caught:
        reader.get("a")
    assert caught.type is kind


def test_a_server_that_was_not_asked_in_time_is_asked_again() -> None:
    with saying(lambda connection, number: connection.sendall(WHOLE if number else LATE)) as reader:
        assert bytes(reader.get("a").body) == b"{}"


# ------------------------------------------------------------------ TLS
@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for localhost, and the authority that vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    for command in (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=tests",
        "openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request -subj /CN=localhost",
        "openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 "
        "-extfile names",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def tls_s3(lax_s3: LaxS3, authority: Path) -> str:
    """The S3-like server behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    lax_s3.socket = context.wrap_socket(lax_s3.socket, server_side=True, do_handshake_on_connect=False)
    lax_s3.objects["/bucket/a"] = b"1"
    return f"https://localhost:{lax_s3.server_address[1]}"


def test_connections_for_a_key_and_an_alias_are_made_ahead(tls_s3: str, authority: Path) -> None:
    reader = reader_of("s3://bucket", tls_s3, str(authority / "ca.pem"))
    reader.reconnect()
    reader.connect()
    assert len(reader._idle) >= 2
    for kept in reader._idle:
        # The session tickets are no answer.
        select.select([kept._socket], [], [], 10)
        assert kept.is_alive(3600)


def test_tls(tls_s3: str, authority: Path) -> None:
    reader = reader_of("s3://bucket", tls_s3, str(authority / "ca.pem"))
    for _ in range(2):
        assert bytes(reader.get("a").body) == b"1"
    assert len(reader._idle) <= 3  # two were made ahead of the first request
    with pytest.raises(NotFound):
        reader.get("b")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tls_s3: str) -> None:
    reader = reader_of("s3://bucket", tls_s3)
    with pytest.raises(s3.Untrusted):
        reader.get("a")


def test_a_certificate_of_another_host_is_not_trusted(tls_s3: str, authority: Path) -> None:
    reader = reader_of("s3://bucket", tls_s3.replace("localhost", "127.0.0.1"), str(authority / "ca.pem"))
    with pytest.raises(s3.Untrusted):
        reader.get("a")


def test_obstore_takes_over_where_the_roots_do_not_do(
    tls_s3: str, s3_url: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    store = Store(s3_url)
    store.create("a", b"2")
    store._reader = reader_of("s3://bucket", tls_s3)
    assert store.get("a").data == b"2"
    assert store._reader is None


# ------------------------------------------------------------------ in parallel
def test_each_item_is_done_once() -> None:
    done: list[int] = []
    each(done.append, range(1000), 8)
    assert sorted(done) == list(range(1000))


def test_the_first_items_error_is_raised() -> None:
    def work(item: int) -> None:
        if item >= 3:
            raise ValueError(item)

    with pytest.raises(ValueError, match="3"):
        each(work, range(100), 8)
