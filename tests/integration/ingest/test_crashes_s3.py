"""`kill -9` on a real S3 server: of an ingest at each of its writes, and of a writer in the middle of one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coldpress.ingest.ingest import Ingest
from coldpress.settings import Settings
from coldpress.store import Store

from ...support import seaweedfs
from .conftest import World
from .test_crashes import WRITES, one_version_more, run

SIZE = 24_000_000
"""More than one part: it goes up in three."""
WRITER = """
import sys
from coldpress.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
while True:
    for letter in ("a", "b"):
        store.upload("folder/value", sys.argv[2] + letter)
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with seaweedfs.running(tmp_path_factory.mktemp("weed")) as found:
        yield found


@pytest.fixture
def there(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in a bucket of its own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in seaweedfs.variables(endpoint).items():
        monkeypatch.setenv(name, value)
    url = seaweedfs.new_bucket(endpoint)
    return World(Store(url), Ingest(Settings(store=url)), tmp_path, tmp_path)


@pytest.mark.parametrize("last", range(1, WRITES + 1))
def test_killed_after_any_write_and_delivered_again(
    there: World, build: Callable[..., bytes], last: int
) -> None:
    there.put(build(number="first"))
    upload = there.upload(build(number="second"))
    process = run(there, upload.key, "after", last)
    process.communicate()
    assert process.returncode == -9
    there.ingest(upload.key)
    assert one_version_more(there, upload)
    assert there.ingest(upload.key) == {"outcome": "known", "state": "ready"}


def test_a_killed_writer_leaves_an_old_or_a_new_object(there: World, tmp_path: Path) -> None:
    values: list[Any] = []
    for letter in (b"a", b"b"):
        values.append(letter * SIZE)
        (tmp_path / f"value-{letter.decode()}").write_bytes(values[-1])
    there.store.upload("folder/value", str(tmp_path / "value-a"))
    for moment in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, there.store.url, str(tmp_path / "value-")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(moment * 0.03)
        writer.kill()
        writer.communicate()
        assert there.store.get("folder/value").data in values
        assert [info.key for info in there.store.walk("folder")] == ["folder/value"]
