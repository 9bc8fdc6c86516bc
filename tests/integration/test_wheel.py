"""The wheel, not the checkout: it carries the template and the functions, and serves them."""

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, as pip would put it into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(PROJECT)], check=True, timeout=120)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_what_is_in_it(installed):
    tops = {path.name for path in installed.iterdir()}
    assert {"coldpress", "coldpress_build", "coldpress_ops"} < tops
    assert [name for name in tops if not name.startswith("coldpress")] == []
    assert not list(installed.rglob("tests"))
    application = installed / "coldpress_ops" / "application"
    assert (application / "template.yaml").read_bytes() == (PROJECT / "template.yaml").read_bytes()
    for function in ("api", "ingest", "predict"):
        assert (application / "functions" / function / "app.py").is_file()


def test_it_serves_away_from_the_checkout(installed, tmp_path):
    # First on the path, so that the editable install of the checkout is not what is imported.
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "coldpress_ops", "up", "--port", "0", "--state", str(tmp_path / "state")]
    log = tmp_path / "log"
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while "ready http" not in log.read_text() and time.monotonic() < deadline:
            assert server.poll() is None, log.read_text()
            time.sleep(0.05)
        url = log.read_text().split("ready ")[1].split()[0]
        assert httpx.get(f"{url}/v2/health/ready", timeout=30).json() == {"ready": True}
        assert httpx.get(f"{url}/openapi.json", timeout=30).status_code == 200
    finally:
        server.terminate()
        server.wait(20)
