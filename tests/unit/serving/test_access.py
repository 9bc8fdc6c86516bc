"""API keys and scopes, against a folder as the store."""

import hashlib
import json
from pathlib import Path

import pytest

from coldpress.access import Access, Caller, create_key, key_in, list_keys, require, revoke_key
from coldpress.errors import Forbidden, InvalidRequest, NotFound, Unauthorized, Unavailable
from coldpress.store import Store

NO_KEY = "no API key: send it as 'x-api-key: KEY' or 'Authorization: Bearer KEY'"
UNKNOWN = "unknown API key; create one with: coldpress keys create"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000_000.0]
    monkeypatch.setattr("coldpress.access.time.time", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"x-api-key": "k"}, "k"),
        ({"authorization": "Bearer k"}, "k"),
        ({"authorization": "bearer  k "}, "k"),
        ({"x-api-key": "k", "authorization": "Bearer other"}, "k"),
        ({"x-api-key": "k" * 200}, "k" * 200),
    ],
)
def test_a_key_is_found_in_either_header(headers: dict[str, str], key: str) -> None:
    assert key_in(headers) == key


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, NO_KEY),
        ({"x-api-key": ""}, NO_KEY),
        ({"authorization": "Bearer"}, NO_KEY),
        ({"authorization": "Bearer  "}, NO_KEY),
        ({"authorization": "Basic azpr"}, NO_KEY),
        ({"authorization": "k"}, NO_KEY),
        ({"x-api-key": "k" * 201}, "an API key has at most 200 characters, this one has 201"),
    ],
)
def test_without_a_key_there_is_no_answer(headers: dict[str, str], message: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        key_in(headers)
    assert str(caught.value) == message


def test_a_key_is_stored_as_its_hash_only(store: Store) -> None:
    key, caller = create_key(store, ("predict:senti*", "read"), expires=1_900_000_000)
    assert key.startswith("cp_")
    assert len(key) == 46
    (info,) = store.walk("keys")
    assert info.key == f"keys/{hashlib.sha256(key.encode()).hexdigest()}.json"
    stored = json.loads(store.get(info.key).data)
    assert stored == {"id": caller.id, "scopes": ["predict:senti*", "read"], "expires": 1_900_000_000}
    assert Access(store, 60).caller({"x-api-key": key}) == caller


@pytest.mark.parametrize("key", ["cp_wrong", "../aliases/prod", "ä\ud800"])
def test_an_unknown_key_is_refused(store: Store, key: str) -> None:
    create_key(store, ("admin",))
    with pytest.raises(Unauthorized) as caught:
        Access(store, 60).caller({"x-api-key": key})
    assert str(caught.value) == UNKNOWN


def test_an_expired_key_is_refused_even_while_it_is_remembered(store: Store, clock: list[float]) -> None:
    key, caller = create_key(store, ("read",), expires=clock[0] + 10)
    access = Access(store, 60)
    clock[0] += 9.9
    assert access.caller({"x-api-key": key}) == caller
    clock[0] += 0.1
    with pytest.raises(Unauthorized) as caught:
        access.caller({"x-api-key": key})
    assert str(caught.value) == (
        f"the API key {caller.id!r} has expired; create one with: coldpress keys create"
    )


def test_a_revoked_key_lives_as_long_as_it_is_remembered(store: Store, clock: list[float]) -> None:
    key, caller = create_key(store, ("read",))
    access = Access(store, 60)
    access.caller({"x-api-key": key})
    revoke_key(store, caller.id)
    clock[0] += 59.9
    assert access.caller({"x-api-key": key}) == caller
    clock[0] += 0.1
    for _ in range(2):
        with pytest.raises(Unauthorized, match=UNKNOWN):
            access.caller({"x-api-key": key})


def test_a_clock_that_is_set_back_keeps_no_revoked_key_alive(store: Store, clock: list[float]) -> None:
    key, caller = create_key(store, ("read",))
    access = Access(store, 60)
    access.caller({"x-api-key": key})
    revoke_key(store, caller.id)
    clock[0] -= 7200
    for _ in range(2):
        with pytest.raises(Unauthorized, match=UNKNOWN):
            access.caller({"x-api-key": key})
        clock[0] += 61


def test_a_clock_that_is_set_back_in_an_outage(
    store: Store, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, caller = create_key(store, ("read",))
    access = Access(store, 60)
    access.caller({"x-api-key": key})
    asked: list[str] = []

    def silent(_: Store, key: str) -> None:
        asked.append(key)
        raise Unavailable("the storage does not answer")

    clock[0] += 120
    with monkeypatch.context() as patched:
        patched.setattr(Store, "get", silent)
        for _ in range(2):
            assert access.caller({"x-api-key": key}) == caller
        assert len(asked) == 1
        # The outage began later than it is now, so nobody knows how long ago: the storage is asked again.
        clock[0] -= 30
        assert access.caller({"x-api-key": key}) == caller
        assert len(asked) == 2
        # Nor is it known for how long the key has been trusted.
        clock[0] -= 7200
        with pytest.raises(Unavailable):
            access.caller({"x-api-key": key})
    assert access.caller({"x-api-key": key}) == caller


def test_a_new_key_works_at_once_although_it_was_refused_before(store: Store) -> None:
    key, caller = create_key(store, ("read",))
    record = store.get(f"keys/{hashlib.sha256(key.encode()).hexdigest()}.json").data
    revoke_key(store, caller.id)
    access = Access(store, 60)
    with pytest.raises(Unauthorized):
        access.caller({"x-api-key": key})
    store.create(f"keys/{hashlib.sha256(key.encode()).hexdigest()}.json", record)
    assert access.caller({"x-api-key": key}) == caller


@pytest.mark.parametrize(
    ("scopes", "scope", "covered"),
    [
        (("admin",), "admin", True),
        (("admin",), "read", True),
        (("admin",), "predict:any", True),
        (("read",), "read", True),
        (("read",), "admin", False),
        (("read",), "predict:any", False),
        (("predict:*",), "predict:any", True),
        (("predict:*",), "read", False),
        (("predict:*",), "admin", False),
        (("predict:senti*",), "predict:sentiment", True),
        (("predict:senti*",), "predict:my-sentiment", False),
        (("predict:senti*",), "predict:senti", True),
        (("predict:a", "predict:b"), "predict:b", True),
        (("predict:a",), "predict:ab", False),
        (("predict:a?c",), "predict:abc", True),
        (("predict:[ab]",), "predict:b", True),
        (("predict:[!ab]",), "predict:b", False),
        (("*",), "predict:a", False),
        (("pred*",), "predict:a", False),
        (("predict:ADMIN",), "predict:admin", False),
        ((), "read", False),
    ],
)
def test_scopes(scopes: tuple[str, ...], scope: str, covered: bool) -> None:
    assert Caller("id", scopes, 0).may(scope) is covered


def test_a_missing_scope_is_named() -> None:
    require(Caller("key-1", ("predict:a",), 0), "predict:a")
    with pytest.raises(Forbidden) as caught:
        require(Caller("key-1", ("predict:a", "read"), 0), "predict:b")
    assert str(caught.value) == "the API key 'key-1' has the scopes predict:a, read; this needs predict:b"


@pytest.mark.parametrize("scope", ["predict", "predict:", "write", "", "Admin", "*"])
def test_an_unknown_scope_makes_no_key(store: Store, scope: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        create_key(store, ("read", scope))
    assert str(caught.value) == f"{scope!r} is no scope; the scopes are admin, read and predict:GLOB"
    assert list_keys(store) == []


def test_a_key_without_scopes_is_not_made(store: Store) -> None:
    with pytest.raises(InvalidRequest, match="a key needs at least one scope: admin, read or predict:GLOB"):
        create_key(store, ())


def test_keys_are_listed_and_revoked_by_id(store: Store) -> None:
    callers = [create_key(store, ("read",))[1] for _ in range(3)]
    assert list_keys(store) == sorted(callers)
    revoke_key(store, callers[1].id)
    assert list_keys(store) == sorted([callers[0], callers[2]])
    with pytest.raises(NotFound) as caught:
        revoke_key(store, callers[1].id)
    assert str(caught.value) == f"there is no key {callers[1].id!r}; see: coldpress keys list"
