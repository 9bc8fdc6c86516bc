"""The server as a process: how it starts, refuses to start, stops, and what it leaves behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from coldpress_ops import serverprocess
from coldpress_ops.serverprocess import ServerFailed

from .conftest import APPLICATION, eventually, served


def up(*arguments: str, cwd: Path = APPLICATION) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coldpress_ops", "up", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def group_is_empty(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_first_start_makes_a_key_and_says_ready_once(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        said = (tmp_path / "up.log").read_text().splitlines()
        key = (tmp_path / "key").read_text()
        assert said == [
            f"API key (admin), also in {tmp_path}/key: {key}",
            f"  curl -H 'x-api-key: {key}' {server.url}/models",
            f"ready {server.url}",
        ]
        assert key.startswith("cp_")
        assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
        assert len(list((tmp_path / "objects" / "keys").iterdir())) == 1
    with served(tmp_path) as server:
        assert (tmp_path / "up.log").read_text().splitlines() == [f"ready {server.url}"]
        assert (tmp_path / "key").read_text() == key


def test_port_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = up("--port", str(port), "--state", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        f"error: cannot listen on 127.0.0.1 port {port}: Address already in use; "
        "give another with --port (0 picks a free one)\n"
    )
    assert not (tmp_path / "key").exists()


def test_host_of_another_machine(tmp_path: Path) -> None:
    ended = up("--port", "0", "--host", "192.0.2.1", "--state", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: cannot listen on 192.0.2.1 port 0: ")


def test_state_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = up("--port", "0", "--state", str(tmp_path / "file" / "state"))
    assert ended.returncode == 1
    assert ended.stderr == (
        f"error: cannot write to the state folder {tmp_path}/file/state (Not a directory); "
        "give another with --state\n"
    )


def test_second_server_on_the_same_state(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        ended = up("--port", "0", "--state", str(tmp_path))
        assert ended.returncode == 1
        assert ended.stderr == (
            f"error: another server (process {server.process.pid}) uses the state folder {tmp_path}; "
            "stop it, or give this one another folder with --state\n"
        )
        assert httpx.get(f"{server.url}/answer/pid").status_code == 200


def test_unknown_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDPRESS_TREADS", "2")
    ended = up("--port", "0", "--state", str(tmp_path))
    assert ended.returncode == 1
    assert "COLDPRESS_TREADS is no setting" in ended.stderr


def test_template_that_is_not_understood(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("Resources: {Timer: {Type: AWS::Events::Rule}}")
    ended = up("--port", "0", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == "error: Timer: the local server does not know the type AWS::Events::Rule\n"


def ask(url: str, outcomes: list[int | type[Exception]]) -> threading.Thread:
    """Sends a request from another thread and notes its status or error."""

    def request() -> None:
        try:
            outcomes.append(httpx.get(url, timeout=30).status_code)
        except httpx.HTTPError as error:
            outcomes.append(type(error))

    thread = threading.Thread(target=request)
    thread.start()
    # Long enough for the request to be with the function.
    time.sleep(0.4)
    return thread


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_lets_a_request_finish(tmp_path: Path, number: signal.Signals) -> None:
    outcomes: list[int | type[Exception]] = []
    with served(tmp_path) as server:
        group = os.getpgid(httpx.get(f"{server.url}/answer/pid").json()["pid"])
        request = ask(f"{server.url}/answer/pid?sleep=1", outcomes)
        server.process.send_signal(number)
        assert server.process.wait(10) == 0
        request.join()
    assert outcomes == [200]
    assert group_is_empty(group)


def test_stop_does_not_wait_for_ever(tmp_path: Path) -> None:
    outcomes: list[int | type[Exception]] = []
    with served(tmp_path) as server:
        group = os.getpgid(httpx.get(f"{server.url}/answer/pid").json()["pid"])
        request = ask(f"{server.url}/answer/pid?sleep=19", outcomes)
        server.process.terminate()
        assert server.process.wait(10) == 0
        request.join()
    assert outcomes != [200]
    assert group_is_empty(group)


@pytest.mark.parametrize("sleep", [0, 19])
def test_kill_leaves_no_orphans(tmp_path: Path, sleep: int) -> None:
    with served(tmp_path) as server:
        group = os.getpgid(httpx.get(f"{server.url}/answer/pid").json()["pid"])
        assert group != os.getpgid(server.process.pid)
        request = ask(f"{server.url}/answer/pid?sleep={sleep}", [])
        server.kill()
        request.join()
        eventually(lambda: group_is_empty(group), 5)


def test_a_server_that_does_not_start_is_reported(tmp_path: Path) -> None:
    with served(tmp_path), pytest.raises(ServerFailed, match="another server"):
        serverprocess.start(tmp_path)
