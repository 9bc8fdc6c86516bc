"""Building layers: the same bytes each time, only from known wheels, and clear words where it cannot be."""

import hashlib
import shutil
from pathlib import Path

import pytest

from .conftest import HERE, LAYERS, PROJECT, build, made


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
        f"fits Python {HERE['PYTHON_VERSION']} on {HERE['MACHINE']} with one of: manylinux_2_17_s390x"
        in failed.words
    )


def test_a_runtime_with_an_old_c_library_is_refused(tmp_path: Path) -> None:
    failed = build("onnxruntime", tmp_path / "built", {"PYTHON_VERSION": "3.11"})
    assert failed.status
    assert "ONNX Runtime needs glibc 2.28, and Lambda with python3.11 has 2.26" in failed.words


def test_a_template_without_a_runtime_is_refused(project: Path, tmp_path: Path) -> None:
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("Runtime: python", "Runtime: node"))
    failed = build("onnxruntime", tmp_path / "built", {}, project=project)
    assert failed.status
    assert "template.yaml names no Runtime: pythonX.Y" in failed.words


def test_without_the_functions_python_there_is_no_bytecode_and_a_warning(tmp_path: Path) -> None:
    other = build("serving", tmp_path / "built", HERE | {"PYTHON_VERSION": "3.14"})
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
