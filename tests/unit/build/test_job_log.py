"""A job's log: what it prints, as objects in the store."""

import sys
import threading

import pytest

from coldpress import runs
from coldpress.runs import Run
from coldpress.store import Store
from coldpress_build.job import pieces


def test_a_long_log_is_kept_whole(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_BYTES", 1000)
    with pieces.Pieces(store, run, 1, 0) as log:
        for number in range(1000):
            log.add(f"line {number}\n".encode())
    text, after = "", ""
    while (part := runs.logs(store, run, after)).text:
        text, after = text + part.text, part.next
    assert text == "".join(f"line {number}\n" for number in range(1000))


def test_a_store_that_fails_for_a_while_loses_nothing(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coldpress.errors import Unavailable

    real, failures = store.create, [Unavailable("now"), Unavailable("now")]

    def create(key: str, data: bytes) -> str:
        if failures:
            raise failures.pop()
        return real(key, data)

    monkeypatch.setattr(store, "create", create)
    monkeypatch.setattr(pieces, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(pieces, "SECONDS", 0.01)
    with pieces.Pieces(store, run, 1, 0) as log:
        log.add(b"kept")
        while failures:
            pass
    assert runs.logs(store, run).text == "kept"


def test_all_that_waits_is_stored_each_time(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One piece each time would be a log of 13 kB a second, and what is above that lost."""
    real, stored, done = store.create, bytearray(), threading.Event()

    def create(key: str, data: bytes) -> str:
        etag = real(key, data)
        stored.extend(data)
        if len(stored) == 9500:
            done.set()
        return etag

    monkeypatch.setattr(store, "create", create)
    monkeypatch.setattr(pieces, "MOST_BYTES", 1000)
    monkeypatch.setattr(pieces, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(pieces, "SECONDS", 600.0)  # there is only the first time
    log = pieces.Pieces(store, run, 1, 0)
    log.add(b"x" * 9500)
    with log:
        assert done.wait(10)


def test_no_character_is_cut_in_two(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_BYTES", 1000)
    bars = "a" + "█" * 2000
    with pieces.Pieces(store, run, 1, 0) as log:
        log.add(bars.encode() + b"\xe2\x96")  # and what never became a character is kept, too
    keys = sorted(info.key for info in store.walk(f"{run.folder}logs"))
    *whole, last = (store.get(key).data for key in keys)
    assert len(whole) >= 6
    assert "".join(piece.decode() for piece in (*whole, last[:-2])) == bars
    assert runs.logs(store, run).text == f"{bars}\ufffd"


def test_what_is_dropped_while_a_piece_is_stored_is_not_stored_twice(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, more = store.create, [b"b" * 500]

    def create(key: str, data: bytes) -> str:
        while more:
            log.add(more.pop())
        return real(key, data)

    monkeypatch.setattr(store, "create", create)
    monkeypatch.setattr(pieces, "MOST_BYTES", 1000)
    monkeypatch.setattr(pieces, "KEPT_BYTES", 1000)
    with pieces.Pieces(store, run, 1, 0) as log:
        log.add(b"a" * 1000)
    assert runs.logs(store, run).text == "a" * 1000 + "b" * 500


def test_a_long_attempt_of_the_same_number_is_passed_over(store: Store, run: Run) -> None:
    for number in range(sys.getrecursionlimit()):
        store.create(runs.piece_key(run, 1, 0, number), b".")
    with pieces.Pieces(store, run, 1, 0) as log:
        log.add(b"kept")
    last = runs.piece_key(run, 1, 0, sys.getrecursionlimit())
    assert store.get(last).data == b"kept"


def test_an_attempt_of_the_same_number_overwrites_nothing(store: Store, run: Run) -> None:
    for words in (b"first\n", b"second\n"):
        with pieces.Pieces(store, run, 1, 0) as log:
            log.add(words)
    assert runs.logs(store, run).text == "first\nsecond\n"
