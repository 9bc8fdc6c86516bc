"""A container engine for a test run: the one that runs already, or a private one that leaves nothing behind.

As a program (`python engine.py FOLDER`) it is the private engine's keeper: it ends the engine when its own
standard input ends, which happens however its parent ends.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 60
STOP_SECONDS = 30
INSTALL_SECONDS = 600
PACKAGES = ("docker.io", "iptables", "busybox-static")
BRIDGE = Path("/sys/class/net/docker0")


@contextlib.contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """The variables that lead `docker` and `sam` to an engine.

    Raises:
        RuntimeError: none runs and none can be started: that takes root.
    """
    if _answers({}):
        yield {}
        return
    if os.geteuid():
        raise RuntimeError("no container engine runs: start one, or run this as root to get a private one")
    _install()
    keeper = subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the tests; the keeper goes when they are gone
    )
    try:
        if not keeper.stdout or not (host := keeper.stdout.readline().strip()):
            raise RuntimeError(f"the container engine did not start:\n{(folder / 'log').read_text()[-3000:]}")
        yield {"DOCKER_HOST": host}
    finally:
        keeper.communicate(timeout=2 * STOP_SECONDS)


def _answers(environment: dict[str, str]) -> bool:
    if not shutil.which("docker"):
        return False
    asked = subprocess.run(
        ["docker", "version"], env=os.environ | environment, capture_output=True, timeout=10, check=False
    )
    return asked.returncode == 0


def _install() -> None:
    if shutil.which("dockerd") and shutil.which("busybox"):
        return
    apt = ["apt-get", "--option", "DPkg::Lock::Timeout=300", "--quiet"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in ([*apt, "update"], [*apt, "install", "--yes", "--no-install-recommends", *PACKAGES]):
        subprocess.run(
            command, env=environment, stdout=subprocess.DEVNULL, timeout=INSTALL_SECONDS, check=True
        )


def _keep(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: sys.exit(1))
    had_bridge = BRIDGE.exists()
    # A path of its own: names of sockets end at 107 bytes.
    socket = Path(f"/run/coldpress-docker-{os.getpid()}.sock")
    command = [
        *("dockerd", f"--host=unix://{socket}", f"--data-root={folder / 'data'}"),
        *(f"--exec-root={folder / 'exec'}", f"--pidfile={folder / 'pid'}"),
        *("--iptables=false", "--ip-forward=false", "--ip-masq=false"),
    ]
    with (folder / "log").open("wb") as log:
        engine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers({"DOCKER_HOST": f"unix://{socket}"}):
            if engine.poll() is not None or time.monotonic() > deadline:
                return
            time.sleep(0.1)
        print(f"unix://{socket}", flush=True)
        sys.stdin.read()
    finally:
        engine.terminate()
        try:
            engine.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            engine.kill()
            engine.wait()
        socket.unlink(missing_ok=True)
        shutil.rmtree(folder / "data", ignore_errors=True)
        shutil.rmtree(folder / "exec", ignore_errors=True)
        if BRIDGE.exists() and not had_bridge:
            subprocess.run(["ip", "link", "delete", "docker0"], check=False)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
