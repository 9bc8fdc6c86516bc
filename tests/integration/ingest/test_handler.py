"""functions/ingest as Lambda calls it."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

APP = Path(__file__).parents[3] / "functions" / "ingest" / "app.py"


class Context:
    """What is used of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


@pytest.fixture
def handler(world: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], dict[str, Any]]:
    monkeypatch.setenv("COLDPRESS_STORE", world.store.url)
    spec = importlib.util.spec_from_file_location("ingest_app", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda event: module.handler(event, Context())


def message(message_id: str, *keys: str, tries: int = 1) -> dict[str, Any]:
    records = [
        {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": quote_plus(k)}}}
        for k in keys
    ]
    attributes = {"ApproximateReceiveCount": str(tries)}
    return {"messageId": message_id, "body": json.dumps({"Records": records}), "attributes": attributes}


def test_a_queue_of_good_bad_and_repeated_uploads(
    world: Any, build: Callable[..., bytes], handler: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    good, bad = world.upload(build()), world.upload(b"oops", "n")
    event = {"Records": [message("1", good.key), message("2", bad.key), message("3", good.key, bad.key)]}
    assert handler(event) == {"batchItemFailures": []}
    assert world.state(good)["state"] == "ready"
    assert world.state(bad)["state"] == "rejected"
    assert world.versions() == [1]


def test_a_store_that_does_not_answer_leaves_the_message_in_the_queue(
    world: Any,
    build: Callable[..., bytes],
    handler: Callable[[dict[str, Any]], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from coldpress.errors import Unavailable
    from coldpress.store import Store

    upload = world.upload(build())
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise Unavailable("object storage did not answer")

        broken.setattr(Store, "upload", fail)
        for tries, again in ((1, True), (2, True), (3, False)):
            assert handler({"Records": [message("1", upload.key, tries=tries)]}) == {
                "batchItemFailures": [{"itemIdentifier": "1"}]
            }
            told = {"reason": "object storage did not answer", "tries": tries, "again": again}
            assert world.state(upload) == {"id": upload.id, "model": "m", "state": "failed", **told}
    line = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert (line["outcome"], line["error"]) == ("failed", "Unavailable: object storage did not answer")
    assert handler({"Records": [message("1", upload.key)]}) == {"batchItemFailures": []}
    assert world.state(upload)["state"] == "ready"


def test_the_handler_only_wires() -> None:
    assert len(APP.read_text().splitlines()) <= 25
