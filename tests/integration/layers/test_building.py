"""Building layers: the same bytes each time, only from known wheels, and clear words where it cannot be."""

import hashlib
import importlib.util
import json
import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ...support import cloudformation
from .conftest import HERE, LAYERS, MACHINE, PROJECT, PYTHON_VERSION, build, made

RUNTIMES = cloudformation.source()["Parameters"]["Runtime"]["AllowedValues"]
FUNCTIONS = {"predict": "PredictFunction", "api": "ApiFunction", "ingest": "IngestFunction"}


def fingerprint(folder: Path) -> dict[str, tuple[int, float, str]]:
    """Mode, time and hash of everything below a folder."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.stat().st_mtime,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("layer", LAYERS)
def test_two_builds_are_the_same_bytes(layer: str, built: dict[str, Path], tmp_path: Path) -> None:
    elsewhere = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "77", "LC_ALL": "C", "HOME": str(tmp_path)}
    again = made(build(layer, tmp_path / "another" / "folder", HERE, umask=0o077, environment=elsewhere))
    assert fingerprint(again) == fingerprint(built[layer])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a build reads."""
    copy = tmp_path / "project"
    shutil.copytree(PROJECT / "layers", copy / "layers", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "constraints.txt", "LICENSE"):
        shutil.copy(PROJECT / name, copy)
    return copy


@pytest.mark.parametrize("hashed", ["", f" --hash=sha256:{'0' * 64}"])
def test_a_wheel_without_its_hash_is_refused(hashed: str, project: Path, tmp_path: Path) -> None:
    locked = project / "layers/serving/requirements.txt"
    name, *_ = locked.read_text().split(" \\")
    locked.write_text(f"{name}{hashed}\n")
    failed = build("serving", tmp_path / "built", HERE, project=project)
    assert failed.status
    assert "serving: pip found no wheel that has a hash in layers/serving/requirements.txt" in failed.words


def test_a_machine_without_wheels_is_named(tmp_path: Path) -> None:
    failed = build("onnxruntime", tmp_path / "built", HERE | {"PLATFORMS": "manylinux_2_17_s390x"})
    assert failed.status
    assert (
        f"fits Python {PYTHON_VERSION} on {HERE['MACHINE']} with one of: manylinux_2_17_s390x" in failed.words
    )


def test_a_runtime_with_an_old_c_library_is_refused(tmp_path: Path) -> None:
    failed = build("onnxruntime", tmp_path / "built", {"RUNTIME": "python3.11"})
    assert failed.status
    assert "ONNX Runtime needs glibc 2.28, and Lambda with python3.11 has 2.26" in failed.words


def test_a_template_without_a_runtime_is_refused(project: Path, tmp_path: Path) -> None:
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("Default: python3", "Default: node3"))
    failed = build("onnxruntime", tmp_path / "built", {}, project=project)
    assert failed.status
    assert "RUNTIME is node3." in failed.words
    template.write_text(template.read_text().replace("  Runtime:\n", "  Language:\n"))
    failed = build("onnxruntime", tmp_path / "other", {}, project=project)
    assert failed.status
    assert "template.yaml names no parameter Runtime with a Default such as python3.13" in failed.words


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_of_the_template_has_its_wheels(runtime: str, machine: str, tmp_path: Path) -> None:
    """pip finds a wheel with a locked hash for whatever a layer installs, and would stop without one."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(34, 16, -1)]
    command = [
        *(sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--require-hashes", "--implementation", "cp"),
        *("--python-version", runtime.removeprefix("python"), "--target", str(tmp_path)),
        *(word for platform in platforms for word in ("--platform", platform)),
        *(word for layer in LAYERS for word in ("-r", str(PROJECT / f"layers/{layer}/requirements.txt"))),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_runtimes_own_python_runs_what_is_built_for_it(runtime: str, tmp_path: Path) -> None:
    """The Makefiles end with a trial by that Python: all is imported, and the library infers."""
    python = interpreter(runtime)
    if not python:
        pytest.skip(f"no {runtime} is installed here")
    variables = {"RUNTIME": runtime, "PYTHON": python, "MACHINE": MACHINE}
    layers = {name: made(build(name, tmp_path / name, variables)) for name in ("serving", "onnxruntime")}
    tag = f"cpython-{runtime.removeprefix('python').replace('.', '')}"
    (bytecode,) = layers["serving"].glob("python/coldpress/__pycache__/serving.*.pyc")
    assert bytecode.name == f"serving.{tag}.pyc"
    for name, folder in layers.items():
        bill = json.loads((folder / f"sbom/{name}.cdx.json").read_text())
        about = {each["name"]: each["value"] for each in bill["metadata"]["component"]["properties"]}
        assert about == {"coldpress:runtime": runtime, "coldpress:machine": MACHINE}


def interpreter(runtime: str) -> str:
    """A Python of that version: on the PATH, or one of pyenv's; "" when there is none."""
    version = runtime.removeprefix("python")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for path in (runtime, *(f"{folder}/bin/python" for folder in sorted(pyenv.glob(f"{version}.*")))):
        # pyenv's own stand-ins on the PATH fail unless their version is chosen.
        if (
            shutil.which(path)
            and not subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode
        ):
            return path
    return ""


@pytest.mark.parametrize(("name", "target"), FUNCTIONS.items())
def test_a_functions_package_is_its_modules_and_their_bytecode(
    name: str, target: str, tmp_path: Path
) -> None:
    source = PROJECT / "functions" / name
    words = ["make", "--silent", f"--directory={source}", f"build-{target}", f"ARTIFACTS_DIR={tmp_path}/made"]
    (tmp_path / "made").mkdir()
    subprocess.run(
        [*words, f"RUNTIME={HERE['RUNTIME']}", f"PYTHON={sys.executable}"],
        check=True,
        timeout=60,
        umask=0o077,
    )
    modules = sorted(path.relative_to(source) for path in source.rglob("*.py"))
    built = sorted(path for path in (tmp_path / "made").rglob("*") if path.is_file())
    assert sorted(path.relative_to(tmp_path / "made") for path in built if path.suffix != ".pyc") == modules
    assert {path.stat().st_mode & 0o777 for path in built} == {0o644}
    for module in modules:
        compiled = Path(importlib.util.cache_from_source(str(tmp_path / "made" / module))).read_bytes()
        assert marshal.loads(compiled[16:]).co_filename == f"/var/task/{module}"  # noqa: S302


def test_a_python_without_pip_is_passed_over(tmp_path: Path) -> None:
    """As many systems' own is."""
    bare = tmp_path / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True, timeout=60)
    only = {"PATH": f"{bare}:/nowhere"}
    tools = {name: shutil.which(name) for name in ("make", "sh", "sed", "seq", "head", "uname")}
    for name, path in tools.items():
        (bare / name).symlink_to(str(path))
    variables = {name: each for name, each in HERE.items() if name != "PYTHON"}
    failed = build("onnxruntime", tmp_path / "built", variables, environment=only | {"SHELL": "/bin/sh"})
    assert failed.status
    assert "no Python with pip is on the PATH" in failed.words


def test_without_the_functions_python_there_is_no_bytecode_and_a_warning(tmp_path: Path) -> None:
    other = build("serving", tmp_path / "built", HERE | {"RUNTIME": "python3.14"})
    assert not list(made(other).rglob("*.pyc"))
    assert "python3.14 does not run here: serving is built without bytecode" in other.words


@pytest.mark.parametrize("layer", [*LAYERS, "finish"])
def test_locked_versions_are_the_constraints(layer: str) -> None:
    constraints = dict(
        line.lower().replace("_", "-").split("==")
        for line in (PROJECT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    locked = (PROJECT / f"layers/{layer}/requirements.txt").read_text()
    pins = dict(
        line.split(";")[0].split(" \\")[0].strip().split("==")
        for line in locked.splitlines()
        if "==" in line and not line.startswith(" ")
    )
    assert pins
    assert pins == {name: constraints.get(name, version) for name, version in pins.items()}
    assert "://" not in locked, "no index is named: pip's own configuration says which"
