"""Files that appear in the store reach the function: at least once, and no more than they must."""

import json
import shutil
import time
from pathlib import Path

import httpx

from .conftest import deliveries, eventually, served


def put(state: Path, key: str, data: bytes = b"x") -> Path:
    path = state / "objects" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def keys(state: Path) -> list[str]:
    return sorted(delivery["key"] for delivery in deliveries(state))


def letters(state: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in (state / "dead-letters" / "Queue").glob("*.json")]


def settled(state: Path) -> bool:
    """Whether no event is pending."""
    entries = [json.loads(path.read_text()) for path in (state / "events" / "Queue").glob("*.json")]
    return bool(entries) and all(entry["state"] != "pending" for entry in entries)


def test_delivery_of_copied_files(tmp_path: Path) -> None:
    put(tmp_path, "incoming/early/before the start+ü.onnx")
    with served(tmp_path):
        (tmp_path / "source").write_bytes(b"model")
        target = tmp_path / "objects/incoming/brand/new/nested"
        target.mkdir(parents=True)
        shutil.copy(tmp_path / "source", target / "copied.onnx")
        put(tmp_path, "incoming/brand/upload.json")
        put(tmp_path, "elsewhere/model.onnx")
        expected = ["incoming/brand/new/nested/copied.onnx", "incoming/early/before the start+ü.onnx"]
        eventually(lambda: keys(tmp_path) == expected)
        [copied] = [d for d in deliveries(tmp_path) if d["key"].endswith("copied.onnx")]
        assert copied | {"message": "", "etag": ""} == {
            "key": "incoming/brand/new/nested/copied.onnx",
            "receives": 1,
            "message": "",
            "etag": "",
            "size": 5,
            "bucket": "test-bucket",
            "source": "arn:aws:sqs:us-east-1:123456789012:Queue",
        }
        # The same key again is a new event.
        put(tmp_path, "incoming/brand/new/nested/copied.onnx", b"other")
        eventually(lambda: len(deliveries(tmp_path)) == 3)
        eventually(lambda: settled(tmp_path))
    with served(tmp_path):
        put(tmp_path, "incoming/last.onnx")
        eventually(lambda: "incoming/last.onnx" in keys(tmp_path))
    # What was done before the restart was not done again.
    assert len(deliveries(tmp_path)) == 4


def test_a_file_that_is_still_being_copied_is_left_alone(tmp_path: Path) -> None:
    with served(tmp_path):
        path = put(tmp_path, "incoming/growing.onnx", b"")
        for _ in range(10):
            with path.open("ab") as file:
                file.write(b"x" * 100)
            time.sleep(0.2)
        eventually(lambda: deliveries(tmp_path))
        assert [delivery["size"] for delivery in deliveries(tmp_path)] == [1000]


def test_retry_and_dead_letters(tmp_path: Path) -> None:
    with served(tmp_path):
        for name in ("once", "raise", "report"):
            put(tmp_path, f"incoming/{name}.onnx")
        eventually(lambda: len(letters(tmp_path)) == 2 and settled(tmp_path))
    counts = {
        name: [d["receives"] for d in deliveries(tmp_path) if name in d["key"]] for name in ("once", "raise")
    }
    assert counts == {"once": [1, 2], "raise": [1, 2, 3]}
    # One event, delivered repeatedly: the same message.
    assert len({delivery["message"] for delivery in deliveries(tmp_path)}) == 3
    by_key = {str(letter["key"]): letter for letter in letters(tmp_path)}
    assert {key: (letter["reason"], letter["deliveries"]) for key, letter in by_key.items()} == {
        "incoming/raise.onnx": ("ValueError: cannot take this", 3),
        "incoming/report.onnx": ("the function reported it as failed; its log has the details", 3),
    }
    assert (tmp_path / "objects/incoming/raise.onnx").exists()
    with served(tmp_path):
        # What was given up is tried again when its file is touched.
        (tmp_path / "objects/incoming/raise.onnx").touch()
        eventually(lambda: len(letters(tmp_path)) == 3)
    assert len([d for d in deliveries(tmp_path) if "raise" in d["key"]]) == 6


def test_kill_in_the_middle_of_a_delivery(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        put(tmp_path, "incoming/slow.onnx")
        eventually(lambda: deliveries(tmp_path))
        server.kill()
    with served(tmp_path) as server:
        eventually(lambda: len(deliveries(tmp_path)) == 2)
        server.kill()
        first, second = deliveries(tmp_path)
        assert (first["receives"], second["receives"]) == (1, 2)
        assert first["message"] == second["message"]


def test_stopping_in_good_order_is_no_failed_delivery(tmp_path: Path) -> None:
    with served(tmp_path):
        put(tmp_path, "incoming/slow.onnx")
        eventually(lambda: deliveries(tmp_path))
    with served(tmp_path) as server:
        eventually(lambda: len(deliveries(tmp_path)) == 2)
        server.kill()
    assert [delivery["receives"] for delivery in deliveries(tmp_path)] == [1, 1]


def test_a_delivery_does_not_hold_up_requests(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        for number in range(4):
            put(tmp_path, f"incoming/slow{number}.onnx")
        eventually(lambda: len(deliveries(tmp_path)) == 2)
        assert httpx.get(f"{server.url}/answer/pid").status_code == 200
        server.kill()
