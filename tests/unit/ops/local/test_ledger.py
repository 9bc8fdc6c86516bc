"""The ledger survives its process, and a torn entry costs no more than a second delivery."""

from dataclasses import replace
from pathlib import Path

import pytest

from coldpress_ops.local.ledger import Entry, Ledger

ENTRY = Entry("incoming/a/ü.onnx", 3, "e1", 5, "message-1", 100.0)


def test_entries_are_there_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "queue")
    done = replace(ENTRY, state="done", receives=2)
    other = replace(ENTRY, key="incoming/b/x.onnx", sent=50.0)
    ledger.put(ENTRY)
    ledger.put(done)
    ledger.put(other)
    again = Ledger(tmp_path / "queue")
    assert list(again) == [other, done]
    assert again.get(ENTRY.key) == done
    again.forget(ENTRY.key)
    assert list(Ledger(tmp_path / "queue")) == [other]


def test_a_torn_entry_is_forgotten(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path)
    ledger.put(ENTRY)
    [path] = tmp_path.glob("*.json")
    path.write_text(path.read_text()[:20])
    assert list(Ledger(tmp_path)) == []
    assert "will be delivered again" in caplog.text
    assert not path.exists()
