"""README's commands, run one block after the other in a copy of the project, as a reader would."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from coldpress_ops import serverprocess

PROJECT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[str]:
    return BLOCK.findall((PROJECT / "README.md").read_text())


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own files, and the environment that `make setup` made."""
    if not (PROJECT / ".venv").is_dir():
        pytest.skip("needs the environment of `make setup` in .venv")
    folder = tmp_path_factory.mktemp("readme") / "coldpress"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_works(copy):
    port = str(_free_port())
    environment = os.environ | {"COLDPRESS_URL": f"http://127.0.0.1:{port}", "NO_COLOR": "1"}
    environment.pop("COLDPRESS_API_KEY", None)

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace(":8000", f":{port}")],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    first, *others = blocks()
    demo, up = first.splitlines()
    assert demo.startswith("make demo ")
    assert up.startswith("make up ")
    told = run("make demo")
    for word in ("accuracy", "first answer, cold", "upload to ready version", "curl http://", "make up"):
        assert word in told
    # `make up` stays in the foreground; the test needs it beside itself.
    with serverprocess.running(copy / ".coldpress", int(port)):
        # One shell, as a reader has: an export in one block counts in the next.
        said = run("\n".join(block for block in others if "make test" not in block))
    assert '"label":"positive"' in said
    assert '"model_name":"sentiment"' in said
    assert any("make test" in block for block in others)
