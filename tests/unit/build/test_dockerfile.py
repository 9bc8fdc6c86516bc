"""The training image's recipe. It cannot be built without a registry; what can be known without one, is."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from coldpress.jobs import ENTRY_POINT

from ...support import cloudformation

ROOT = cloudformation.TEMPLATE.parent
FILE = ROOT / "build" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments, comments and line breaks gone."""
    lines = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def copied() -> list[str]:
    """What comes from the repository."""
    sources = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    return [path for paths in sources for path in paths]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    starts = [number for number, (word, _) in enumerate(found) if word == "FROM"]
    return found[starts[-1] :]


def test_what_runs_is_what_the_job_definition_says() -> None:
    (command,) = [json.loads(rest) for word, rest in last_stage() if word == "CMD"]
    given = {"Stage": "s", "Store": "b", "TrainFunction": "f", "Vpc": "v", "Subnets": "s"}
    job = cloudformation.training(**given)["Job"]["Properties"]["ContainerProperties"]
    assert command == job["Command"] == ["python", "-m", ENTRY_POINT]
    assert not [rest for word, rest in instructions() if word == "ENTRYPOINT"]


def test_it_does_not_run_as_root_and_has_no_secrets() -> None:
    users = [rest for word, rest in last_stage() if word == "USER"]
    assert users == ["10001"]
    assert not re.search(r"AWS_|API_KEY|TOKEN|PASSWORD", FILE.read_text())


def test_its_base_has_a_version() -> None:
    arguments = dict(
        rest.partition("=")[::2] for word, rest in instructions() if word == "ARG" and "=" in rest
    )
    assert re.fullmatch(r"nvidia/cuda:\d+\.\d+\.\d+-base-ubuntu\d+\.\d+", arguments["BASE"])
    assert {rest.split()[0] for word, rest in instructions() if word == "FROM"} == {"${BASE}"}
    # The Python that this distribution has, and one that Coldpress runs on.
    assert (arguments["BASE"][-5:], arguments["PYTHON"]) == ("24.04", "python3.12")


def test_nothing_is_left_behind_in_its_layers() -> None:
    for word, rest in instructions():
        if word == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert rest.rstrip().count("rm -rf /var/lib/apt/lists/*") == 1
        if word == "RUN" and "pip install" in rest:
            assert "--no-cache-dir --constraint constraints.txt" in rest
    assert not [rest for word, rest in instructions() if word == "ADD"]


def test_the_context_holds_what_is_copied_and_little_else() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for path in copied():
        assert (ROOT / path).exists(), path
        assert any(path.rstrip("/") == each or fnmatchcase(path, f"{each}/*") for each in kept), path
    assert {path.rstrip("/") for path in copied()} == set(kept)


def test_what_is_copied_installs_the_entry_point(tmp_path: Path) -> None:
    """The same files, and no others, make the package that the image installs."""
    source = tmp_path / "src"
    for path in copied():
        target = source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / path, target)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel"],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = (source / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"coldpress_build/job/__main__.py", "coldpress_build/job/work.py", "coldpress/runs.py"} <= names


@pytest.mark.parametrize("extra", ["build"])
def test_the_extra_that_it_installs_exists(extra: str) -> None:
    import tomllib

    assert extra in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"'.[{extra}]'" in FILE.read_text()
