"""`coldpress keys`, straight in a store."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coldpress import access
from coldpress.errors import Unauthorized
from coldpress.store import Store
from coldpress_ops.cli import app


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("COLDPRESS_STORE", "COLDPRESS_STATE"):
        monkeypatch.delenv(name, raising=False)


def keys(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["keys", *arguments])


def caller(key: str, folder: Path) -> access.Caller:
    """As a function would see it."""
    return access.Access(Store(f"file://{folder}"), 60).caller({"x-api-key": key})


@pytest.mark.parametrize(
    ("options", "scopes"),
    [
        ([], ("predict:*",)),
        (["--admin"], ("admin",)),
        (["--read"], ("read",)),
        (["--models", "sentiment-*"], ("predict:sentiment-*",)),
        (["--read", "--models", "a", "--models", "b"], ("read", "predict:a", "predict:b")),
        (["--admin", "--read"], ("admin", "read")),
    ],
)
def test_create(tmp_path: Path, options: list[str], scopes: tuple[str, ...]) -> None:
    result = keys("create", *options)
    key = result.stdout.strip()
    assert result.stdout == f"{key}\n"
    made = caller(key, tmp_path / ".coldpress" / "objects")
    assert (made.scopes, made.expires) == (scopes, 0)
    assert result.stderr == f"{made.id}: {', '.join(scopes)}, expires never\n"


def test_a_key_that_ends(tmp_path: Path) -> None:
    result = keys("create", "--days", "90", "--json", "--state", "here")
    made = json.loads(result.stdout)
    assert abs(made["expires"] - time.time() - 90 * 86_400) < 60
    assert caller(made.pop("key"), tmp_path / "here" / "objects")._asdict() == made | {
        "scopes": ("predict:*",)
    }


def test_list_and_revoke(tmp_path: Path) -> None:
    first = json.loads(keys("create", "--admin", "--json").stdout)
    second = json.loads(keys("create", "--days", "1", "--json").stdout)
    day = time.strftime("%Y-%m-%d", time.gmtime(second["expires"]))
    lines = keys("list").stdout.splitlines()
    assert sorted(lines) == sorted([f"{first['id']}  never       admin", f"{second['id']}  {day}  predict:*"])
    listed = json.loads(keys("list", "--json").stdout)
    assert sorted(row["id"] for row in listed) == sorted([first["id"], second["id"]])
    assert first["key"] not in str(listed)

    result = keys("revoke", first["id"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"revoked {first['id']}\n")
    assert [row["id"] for row in json.loads(keys("list", "--json").stdout)] == [second["id"]]
    with pytest.raises(Unauthorized):
        caller(first["key"], tmp_path / ".coldpress" / "objects")
    result = keys("revoke", first["id"])
    assert (result.exit_code, result.stderr) == (
        1,
        f"error: there is no key {first['id']!r}; see: coldpress keys list\n",
    )


def test_a_store_by_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"file://{tmp_path}/elsewhere"
    key = keys("create", "--read", "--store", url).stdout.strip()
    assert caller(key, tmp_path / "elsewhere").scopes == ("read",)
    monkeypatch.setenv("COLDPRESS_STORE", url)
    assert "read" in keys("list").stdout
    result = keys("list", "--state", "here")
    assert result.exit_code == 2
    assert "give --state or --store, not both" in result.stderr
    assert not (tmp_path / ".coldpress").exists()


@pytest.mark.parametrize("command", [["list"], ["revoke", "key-1"]])
def test_a_typing_error_makes_no_folder(tmp_path: Path, command: list[str]) -> None:
    result = keys(*command, "--state", "typo")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: {tmp_path}/typo holds no store; give --state DIR or --store URL\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["nonsense://x", "not a url"])
def test_a_store_that_is_none(url: str) -> None:
    result = keys("list", "--store", url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: cannot use the store {url!r}")
    assert result.stderr.count("\n") == 1


def test_the_state_folder_that_the_other_commands_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLDPRESS_STATE", str(tmp_path / "served"))
    key = keys("create", "--admin").stdout.strip()
    made = caller(key, tmp_path / "served" / "objects")
    assert made.id in keys("list").stdout
    assert not (tmp_path / ".coldpress").exists()
    elsewhere = keys("create", "--store", f"file://{tmp_path}/bucket").stdout.strip()
    assert caller(elsewhere, tmp_path / "bucket").id not in keys("list").stdout
