"""The state folder: made once, private where it must be, one server at a time."""

import os
from pathlib import Path

import pytest

from coldpress_ops.local.state import StateUnusable, opened


def test_layout_and_secret(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    with opened(folder) as state:
        assert (folder / "lock").read_text() == str(os.getpid())
        assert {path.name for path in folder.iterdir()} == {
            *("dead-letters", "events", "lock", "logs", "objects", "partial", "secret"),
        }
        assert state.store_url == f"file://{folder}/objects"
        assert len(state.secret) == 64
        state.keep_key("cp_1")
        assert state.key_file.read_text() == "cp_1"
        for private in ("secret", "key"):
            assert (folder / private).stat().st_mode & 0o777 == 0o600
        (state.partial / "left").write_text("by a kill")
        secret = state.secret
    with opened(folder) as state:
        assert state.secret == secret
        assert list(state.partial.iterdir()) == []


def test_one_server_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path):
        with pytest.raises(StateUnusable) as caught, opened(tmp_path):
            pass
        assert str(caught.value) == (
            f"another server (process {os.getpid()}) uses the state folder {tmp_path}; "
            "stop it, or give this one another folder with --state"
        )
    with opened(tmp_path):
        pass


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_not_a_folder(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StateUnusable) as caught, opened(tmp_path / where):
        pass
    assert str(caught.value).startswith(f"cannot write to the state folder {tmp_path / where} (")
    assert str(caught.value).endswith("give another with --state")


def test_something_in_the_way_inside(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("in the way")
    with pytest.raises(StateUnusable, match="cannot write to the state folder"), opened(tmp_path):
        pass
