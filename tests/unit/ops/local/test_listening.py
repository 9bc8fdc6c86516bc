"""The listening socket."""

import socket
from urllib.parse import urlsplit

import pytest

from coldpress_ops.local.listening import AddressUnusable, bound, url_of


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", ""),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104
        pytest.param(
            "::1", "[::1]", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback here")
        ),
    ],
)
def test_url_reaches_it(host: str, shown: str) -> None:
    with bound(host, 0) as listener:
        url = url_of(listener)
        port = listener.getsockname()[1]
        assert url.startswith(f"http://{shown}")
        assert url.endswith(f":{port}")
        address = urlsplit(url)
        socket.create_connection((address.hostname, address.port), timeout=5).close()


def test_answers_are_not_held_back() -> None:
    with bound("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
def test_addresses_that_cannot_be(host: str) -> None:
    with pytest.raises(AddressUnusable) as caught:
        bound(host, 0)
    assert str(caught.value).startswith(f"cannot listen on {host} port 0: ")
    assert str(caught.value).endswith("; give another with --port (0 picks a free one)")
