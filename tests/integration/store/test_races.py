"""Writers that race: whatever the order, exactly one wins and nothing is lost."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from coldpress.errors import Conflict
from coldpress.store import Store

PROCESSES = 8
KEYS = 25
INCREMENTS = 20

# Each process waits for the word to go, so that they meet.
START = """
import json, sys
from coldpress.errors import Conflict
from coldpress.store import Store
url, me, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = Store(url)
print("ready", flush=True)
sys.stdin.readline()
"""
CREATE = (
    START
    + """
won = []
for number in range(count):
    try:
        store.create(f"race/{number}", me.encode())
    except Conflict:
        continue
    won.append(number)
print(json.dumps(won))
"""
)
COUNT = (
    START
    + """
lost = 0
for _ in range(count):
    while True:
        blob = store.get("counter")
        try:
            store.replace("counter", b"%04d" % (int(blob.data) + 1), blob.etag)
        except Conflict:
            lost += 1
        else:
            break
print(json.dumps(lost))
"""
)


def race(script: str, url: str, count: int) -> list[object]:
    """What each process printed."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", script, url, f"racer-{me}", str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in range(PROCESSES)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [json.loads(racer.communicate(timeout=120)[0]) for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * PROCESSES
    return answers


def test_exactly_one_create_wins(url: str) -> None:
    won = race(CREATE, url, KEYS)
    store = Store(url)
    winners = {number: f"racer-{me}" for me, numbers in enumerate(won) for number in numbers}  # type: ignore[attr-defined]
    assert sorted(number for numbers in won for number in numbers) == list(range(KEYS))  # type: ignore[attr-defined]
    stored = {
        int(info.key.rpartition("/")[2]): store.get(info.key).data.decode() for info in store.walk("race")
    }
    assert stored == winners


def test_a_counter_loses_no_increment(url: str) -> None:
    store = Store(url)
    store.create("counter", b"0000")
    lost = race(COUNT, url, INCREMENTS)
    assert store.get("counter").data == b"%04d" % (PROCESSES * INCREMENTS)
    assert sum(lost) > 0, "nobody ever met: this was no race"  # type: ignore[arg-type]


def test_threads_of_one_process_lose_nothing_either(store: Store) -> None:
    store.create("counter", b"0000")

    def count(_: int) -> None:
        for _ in range(INCREMENTS):
            while True:
                blob = store.get("counter")
                try:
                    store.replace("counter", b"%04d" % (int(blob.data) + 1), blob.etag)
                except Conflict:
                    continue
                break

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(count, range(PROCESSES)))
    assert store.get("counter").data == b"%04d" % (PROCESSES * INCREMENTS)
