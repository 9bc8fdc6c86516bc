"""Run records: forward only, the same whatever is told first, and one writer at a time."""

import itertools
import json
import threading
from pathlib import Path

import pytest

from coldpress import runs
from coldpress.errors import Conflict, InvalidRequest, NotFound
from coldpress.runs import FAILED, QUEUED, RUNNING, STOPPED, SUCCEEDED, News, Run
from coldpress.store import Store

AT = "2026-11-22T08:00:{:02d}.000+00:00"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/objects")


def ordered(**wishes: object) -> Run:
    return runs.order("text-classifier", {"epochs": "3"}, **wishes)


# ---------------------------------------------------------------------- what is told, in every order
BATCH = [
    News(QUEUED, job="j", image="i"),
    News(RUNNING, AT.format(1), job="j", attempts=1, image="i"),
    News(RUNNING, AT.format(5), job="j", attempts=2, image="i"),
]
OWN = [News(RUNNING, AT.format(2), attempts=1, own=True)]
STORIES = {
    "succeeded": (
        [*BATCH, *OWN, News(SUCCEEDED, AT.format(8), own=True), News(SUCCEEDED, AT.format(9), job="j")],
        {"state": SUCCEEDED, "reason": "", "ended": AT.format(8)},
    ),
    "failed, and the job knows why": (
        [
            *BATCH,
            News(FAILED, AT.format(8), reason="the loss became nan", own=True),
            News(FAILED, AT.format(9), reason="Essential container in task exited; exit status 1", job="j"),
        ],
        {"state": FAILED, "reason": "the loss became nan", "ended": AT.format(8)},
    ),
    "only Batch knows why": (
        [*BATCH, News(FAILED, AT.format(9), reason="Host EC2 (i-1) terminated.", job="j")],
        {"state": FAILED, "reason": "Host EC2 (i-1) terminated.", "ended": AT.format(9)},
    ),
    "killed when the results were stored": (
        [
            *BATCH,
            News(SUCCEEDED, AT.format(8), own=True),
            News(FAILED, AT.format(9), reason="killed", job="j"),
        ],
        {"state": SUCCEEDED, "reason": "", "ended": AT.format(8)},
    ),
}


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("repeated", [False, True])
def test_every_order_of_events_gives_the_same_record(story: str, repeated: bool) -> None:
    events, expected = STORIES[story]
    began = ordered()._replace(created=AT.format(0))
    ends = set()
    for order in itertools.permutations(events):
        run = began
        for news in (*order, *order[::-1]) if repeated else order:
            run = runs.merged(run, news)
        ends.add(repr(run))
    assert len(ends) == 1
    assert run == began._replace(started=AT.format(1), job="j", attempts=2, image="i", **expected)


def test_a_state_never_goes_back() -> None:
    for first, then in itertools.product(runs.STATES, repeat=2):
        told = runs.merged(runs.merged(ordered(), News(first)), News(then))
        assert runs.STATES.index(told.state) == max(runs.STATES.index(first), runs.STATES.index(then))


def test_the_end_of_a_run_that_was_to_stop_is_stopped(store: Store) -> None:
    run = runs.create(store, ordered())
    runs.tell(store, run.id, News(RUNNING, AT.format(1), job="j"))
    assert runs.ask_to_stop(store, run.id).state == RUNNING
    told = runs.tell(store, run.id, News(FAILED, AT.format(2), job="j", reason="stopped on request"))
    assert (told.state, told.reason, told.ended) == (STOPPED, "stopped on request", AT.format(2))
    # The same end once more, and a late beginning.
    for late in (News(FAILED, AT.format(2), reason="other words"), News(RUNNING, AT.format(1))):
        assert runs.tell(store, run.id, late) == told
    with pytest.raises(Conflict, match="is over already: it has stopped"):
        runs.ask_to_stop(store, run.id)


def test_a_run_that_succeeds_before_it_can_be_stopped_has_succeeded(store: Store) -> None:
    run = runs.create(store, ordered())
    runs.tell(store, run.id, News(RUNNING, job="j"))
    runs.ask_to_stop(store, run.id)
    assert runs.tell(store, run.id, News(SUCCEEDED)).state == SUCCEEDED


def test_a_run_without_a_job_stops_at_once(store: Store) -> None:
    stopped = runs.ask_to_stop(store, runs.create(store, ordered()).id)
    assert (stopped.state, stopped.stop, stopped.reason) == (STOPPED, True, "stopped before it began")


# ---------------------------------------------------------------------- the store
def test_what_is_stored_is_read_again(store: Store) -> None:
    run = runs.create(store, ordered(data="iris", publish="m", nodes=2, gpus=1, minutes=5, share="a"))
    assert runs.read(store, run.id) == run
    assert run.state == QUEUED
    with pytest.raises(Conflict):
        runs.create(store, run)
    blob = store.get(f"runs/{run.id}/run.json")
    store.replace(f"runs/{run.id}/run.json", blob.data.replace(b"{", b'{"of_tomorrow": 1,', 1), blob.etag)
    assert runs.read(store, run.id) == run


def test_news_that_change_nothing_write_nothing(store: Store) -> None:
    run = runs.create(store, ordered())
    runs.tell(store, run.id, News(RUNNING, AT.format(1)))
    before = store.get(f"runs/{run.id}/run.json").etag
    runs.tell(store, run.id, News(RUNNING, AT.format(3)))
    runs.tell(store, run.id, News(QUEUED))
    assert store.get(f"runs/{run.id}/run.json").etag == before


def test_nothing_is_lost_when_many_tell_at_once(store: Store) -> None:
    run = runs.create(store, ordered())

    def note(name: str) -> None:
        runs.change(store, run.id, lambda run: run._replace(metrics=run.metrics | {name: 1}))

    threads = [threading.Thread(target=note, args=(f"m{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs.read(store, run.id).metrics == {f"m{number}": 1 for number in range(8)}


def test_runs_are_listed_newest_first(store: Store) -> None:
    made = [runs.new_id(recipe, at, "0" * 8) for recipe, at in (("b", 100.0), ("a-b", 300.0), ("c", 200.0))]
    for run_id in made:
        store.create(f"runs/{run_id}/run.json", b"{}")
    assert runs.ids(store) == [made[1], made[2], made[0]]
    assert made[0] == "b-19700101-000140-00000000"


@pytest.mark.parametrize("run_id", ["", "nothing-1", "../keys", "a/b", "ä", "a..b"])
def test_no_such_run(store: Store, run_id: str) -> None:
    with pytest.raises(NotFound, match="there is no run"):
        runs.read(store, run_id)


# ---------------------------------------------------------------------- orders
@pytest.mark.parametrize(
    ("recipe", "wishes", "words"),
    [
        ("No Recipe", {}, "cannot name a recipe"),
        ("r", {"publish": "A"}, "cannot name a model"),
        ("r", {"alias": "A"}, "cannot name an alias"),
        ("r", {"nodes": 0}, "nodes=0 must be from 1 to 64"),
        ("r", {"gpus": 17}, "gpus=17 must be from 0 to 16"),
        ("r", {"minutes": -1}, "minutes=-1 must be from 0 to 40320"),
        ("r", {"data": "models/m/versions/1"}, "is no data"),
        ("r", {"data": "s3://elsewhere/d.csv"}, "is no data"),
        ("r", {"data": "datasets/../keys/k"}, "is no data"),
        ("r", {"data": "x" * 1025}, "has 1025 characters; at most 1024"),
        ("r", {"share": "a b"}, "'a b' is no share"),
        ("r", {"data": "\ud83d"}, r"'\\ud83d' has half a surrogate pair in it"),
        ("r", {"settings": {"a": "\udcff"}}, r"'\\udcff' has half a surrogate pair in it"),
        ("r", {"settings": {str(n): "1" for n in range(101)}}, "101 settings are too many"),
    ],
)
def test_what_no_run_can_be(recipe: str, wishes: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        runs.order(recipe, **wishes)


# ---------------------------------------------------------------------- logs
def test_logs_are_read_on_from_where_they_ended(store: Store) -> None:
    run = runs.create(store, ordered())
    assert runs.logs(store, run) == ("", "")
    for attempt, number, text in ((1, 0, b"one\n"), (1, 1, b"t\xc3"), (2, 0, b"\xa4 again\n")):
        store.create(runs.piece_key(run, attempt, 0, number), text)
    first = runs.logs(store, run)
    assert first == ("one\ntä again\n", "002-00-000000.txt")
    assert runs.logs(store, run, first.next) == ("", first.next)
    store.create(runs.piece_key(run, 2, 0, 1), b"end")
    assert runs.logs(store, run, first.next) == ("end", "002-00-000001.txt")


def test_long_logs_come_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PIECES", 2)
    run = runs.create(store, ordered())
    for number in range(3):
        store.create(runs.piece_key(run, 1, 0, number), str(number).encode())
    part = runs.logs(store, run)
    assert part.text == "01"
    assert runs.logs(store, run, part.next).text == "2"


@pytest.mark.parametrize(
    "words",
    [
        b'{"epoch": 12, "loss": 0.1234}\n',
        "epoch 12/100:  45%|████▌     | 36.1it/s\r".encode(),
        b"\x1b[1m\x1b[32mINFO\x1b[0m step 12 loss 0.123\n",
        b"\x00",
        b"\xff",
    ],
)
def test_a_part_of_a_log_fits_into_lambdas_answer(store: Store, words: bytes) -> None:
    run = runs.create(store, ordered())
    piece = words * ((64 << 10) // len(words))
    for number in range(runs.PIECES):
        store.create(runs.piece_key(run, 1, 0, number), piece)
    text, after, parts = "", "", 0
    while (part := runs.logs(store, run, after)).text:
        text, after, parts = text + part.text, part.next, parts + 1
        # Older Pythons' Lambda answers in ASCII.
        answer = {"statusCode": 200, "body": json.dumps(part._asdict(), ensure_ascii=False)}
        assert len(json.dumps(answer)) < 6 << 20
    assert text == piece.decode("utf-8", "replace") * runs.PIECES
    # Nor are they smaller than they have to be: a part is a request, and a list of the whole log.
    assert parts <= 1 + 7 * len(piece) * runs.PIECES // runs.ANSWER_BYTES
