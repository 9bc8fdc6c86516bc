"""Runs that would never end, ended."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from coldpress.errors import Unavailable
from coldpress.ort import Library, OrtInvalidInput, Session, SessionOptions
from coldpress.ort.deadline import Watch
from coldpress.tensors import Tensor

FOREVER = 2**60


def inputs(count: int) -> list[Tensor]:
    return [
        Tensor("count", "INT64", (), np.array(count).tobytes()),
        Tensor("x", "FP32", (4,), np.ones(4, "f").data),
    ]


@pytest.fixture(scope="module", params=[1, 2], ids=["1 thread", "2 threads"])
def session(library: Library, build: Any, request: pytest.FixtureRequest) -> Session:
    return Session.open(library, build.endless(), SessionOptions(threads=request.param))


def test_a_run_past_its_deadline_is_stopped_and_the_session_goes_on(session: Session) -> None:
    for _ in range(3):
        with pytest.raises(
            Unavailable, match="the model's run passed its deadline and was stopped; send fewer"
        ):
            session.run(inputs(FOREVER), deadline=time.monotonic() + 0.05)
    in_time = session.run(inputs(3), deadline=time.monotonic() + 1000)
    assert in_time == session.run(inputs(3))


def test_no_time_left_at_all(session: Session) -> None:
    with pytest.raises(Unavailable, match="no time was left to run the model"):
        session.run(inputs(1), deadline=time.monotonic() - 1)


def test_each_run_has_its_own_deadline(session: Session) -> None:
    stopped: list[int] = []

    def work(number: int) -> None:
        with pytest.raises(Unavailable):
            session.run(inputs(FOREVER), deadline=time.monotonic() + 0.05 * number)
        stopped.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in (4, 1, 3, 2)]
    for thread in threads:
        thread.start()
    assert session.run(inputs(3), deadline=time.monotonic() + 1000)
    for thread in threads:
        thread.join()
    assert sorted(stopped) == [1, 2, 3, 4]


def test_another_failure_before_the_deadline_stays_itself(library: Library, build: Any, tensors: Any) -> None:
    model = build.model(
        [build.node("Gather", ["w", "i"], ["y"])],
        [build.value("i", build.INT64, ["n"])],
        [build.value("y", build.FLOAT, ["n"])],
        {"w": np.arange(4, dtype="f")},
    )
    with pytest.raises(OrtInvalidInput):
        Session.open(library, model).run(tensors(i=np.array([9])), deadline=time.monotonic() + 1000)


def test_an_earlier_deadline_wakes_the_watch_and_a_removed_one_is_never_called() -> None:
    watch, first, never = Watch(), threading.Event(), threading.Event()
    late = watch.add(time.monotonic() + 1e12, never.set)
    removed = watch.add(time.monotonic() + 0.05, never.set)
    assert watch.remove(removed) is False
    early = watch.add(time.monotonic() + 0.1, first.set)
    assert first.wait(60)
    assert watch.remove(early) is True
    assert watch.remove(late) is False
    assert not never.is_set()


def test_the_watch_sleeps_through_runs_that_end_in_time() -> None:
    watch = Watch()
    looks = []
    expire = watch._expire
    watch._expire = lambda now: looks.append(now) or expire(now)  # type: ignore[method-assign,func-returns-value]
    later = time.monotonic() + 1000
    for number in range(200):
        assert watch.remove(watch.add(later + number, looks.clear)) is False
        time.sleep(0)
    assert len(looks) <= 2
