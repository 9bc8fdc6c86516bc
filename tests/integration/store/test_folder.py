"""What only a folder can get wrong: torn files, leftovers, times that stand still."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from coldpress.folder import locked
from coldpress.probe import probe
from coldpress.store import Store, StoreUnusable

SIZE = 3_000_000
WRITER = """
import sys
from coldpress.probe import probe
from coldpress.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
while True:
    for letter in (b"a", b"b"):
        value = letter * int(sys.argv[2])
        if sys.argv[3] == "overwrite":
            store.overwrite("folder/value", value)
        else:
            store.replace("folder/value", value, store.head("folder/value").etag)
"""


@pytest.mark.parametrize("how", ["overwrite", "replace"])
def test_a_killed_writer_leaves_an_old_or_a_new_value(tmp_path: Path, how: str) -> None:
    url = f"file://{tmp_path}"
    store = Store(url)
    store.create("folder/value", b"a" * SIZE)
    for moment in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(SIZE), how], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(moment * 0.004)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        value = store.get("folder/value")
        assert value.data in (b"a" * SIZE, b"b" * SIZE)
        assert [info.key for info in store.walk("folder")] == ["folder/value"]
        # A lock that outlived its holder would stop this for ever.
        store.replace("folder/value", value.data, value.etag)


def test_temporary_files_are_not_listed(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}")
    store.create("folder/value", b"1")
    (tmp_path / "folder/value#1").write_bytes(b"left over")
    assert [info.key for info in store.walk("folder")] == ["folder/value"]
    store.overwrite("folder/value", b"2")
    assert store.get("folder/value").data == b"2"


def test_files_put_there_by_hand_are_objects(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}")
    path = tmp_path / "incoming" / "m" / "a b+ü%20#.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"onnx")
    (info,) = store.walk("incoming")
    assert (info.key, info.size) == ("incoming/m/a b+ü%20#.onnx", 4)
    assert store.get(info.key).data == b"onnx"
    assert store.fetch(info.key, 4)[:] == b"onnx"


def test_a_clock_that_is_set_back_gives_no_etag_twice(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}")
    store.create("a", b"0")
    later = time.time_ns() + 3_600_000_000_000
    os.utime(tmp_path / "a", ns=(later, later))
    etags, times = [store.head("a").etag], [store.head("a").modified]
    for number in range(50):
        etags.append(store.replace("a", b"%d" % (number % 10), etags[-1]))
        times.append(store.head("a").modified)
        assert store.head("a").etag == etags[-1]
    assert len(set(etags)) == len(etags)
    assert times == sorted(set(times))


def test_the_lock_holds_others_off(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}")
    etag = store.create("a", b"1")
    done = threading.Event()

    def write() -> None:
        Store(f"file://{tmp_path}").replace("a", b"2", etag)
        done.set()

    with locked(str(tmp_path)):
        thread = threading.Thread(target=write)
        thread.start()
        assert not done.wait(0.2)
        assert store.get("a").data == b"1"
    thread.join(10)
    assert store.get("a").data == b"2"


@pytest.mark.parametrize("folder", ["with space", "größe", "a%20b", "deep/er"])
def test_any_folder_name_will_do(tmp_path: Path, folder: str) -> None:
    store = Store(f"file://{tmp_path}/{folder}/")
    probe(store)
    store.create("a/b", b"1")
    assert (tmp_path / folder / "a/b").read_bytes() == b"1"
    assert store.fetch("a/b", 1)[:] == b"1"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "no store: set COLDPRESS_STORE, for example s3://my-bucket or file:///srv/coldpress"),
        ("bucket", "cannot use the store 'bucket': it must start with one of "
                   "s3://, gs://, az://, file://, memory://"),
        ("http://host/x", "cannot use the store 'http://host/x': it must start with one of "
                          "s3://, gs://, az://, file://, memory://"),
        ("s3://", "cannot use the store 's3:': "),
        ("file:///proc/nowhere", "cannot use the store 'file:///proc/nowhere': No such file or directory"),
    ],
)  # fmt: skip
def test_an_unusable_url_is_refused(url: str, message: str) -> None:
    with pytest.raises(StoreUnusable) as caught:
        Store(url)
    assert str(caught.value).startswith(message)
