"""Finding and opening the library."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from coldpress.errors import Internal, Unsupported
from coldpress.ort import Library, library_path
from coldpress.ort import library as module

RUN_A_MODEL = """
import sys
from coldpress.ort import Library, Session, library_path
from coldpress.tensors import Tensor
session = Session.open(Library.open(library_path()), sys.argv[1])
print(session.run([Tensor("x", "FP32", (1,), bytes(4))])[0].data.tobytes().hex())
"""


def test_finds_the_installed_wheels_library() -> None:
    path = Path(library_path())
    assert re.fullmatch(r"libonnxruntime\.so\.[0-9.]+", path.name)
    assert path.parent.parts[-2:] == ("onnxruntime", "capi")


def test_the_layer_comes_before_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libonnxruntime.so.1.31.1").touch()
    (tmp_path / "libonnxruntime_providers_shared.so").touch()
    monkeypatch.setattr(module, "LAYER", str(tmp_path))
    assert library_path() == str(tmp_path / "libonnxruntime.so.1.31.1")


def test_the_setting_comes_first_and_must_be_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.so"
    with pytest.raises(Internal, match=rf"COLDPRESS_ORT_LIBRARY='{mine}' is no file"):
        library_path(str(mine))
    mine.touch()
    assert library_path(str(mine)) == str(mine)


def test_says_where_it_looked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "LAYER", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), ""])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        Internal, match=rf"neither in {tmp_path} nor in an installed onnxruntime wheel; install"
    ):
        library_path()


@pytest.mark.parametrize(
    ("system", "machine"), [("darwin", "arm64"), ("win32", "AMD64"), ("linux", "riscv64")]
)
def test_says_where_it_does_not_run(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(module.os, "uname", lambda: type("Uname", (), {"machine": machine}))  # type: ignore[attr-defined]
    with pytest.raises(
        Unsupported, match=f"on Linux x86_64 and aarch64; this is {system} {machine}. Use a Linux"
    ):
        library_path()


def test_one_library_in_a_process(library: Library, tmp_path: Path) -> None:
    link = tmp_path / "link.so"
    link.symlink_to(library.path)
    assert Library.open(str(link)) is library
    with pytest.raises(Internal, match="is open already; one process holds one ONNX Runtime"):
        Library.open(str(tmp_path / "another.so"))


def test_reports_its_version(library: Library) -> None:
    assert re.fullmatch(r"1\.\d+\.\d+", library.version)


@pytest.mark.parametrize("content", [None, b"not a library"])
def test_what_is_no_library(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "libonnxruntime.so"
    if content:
        path.write_bytes(content)
    script = (
        "import sys; from coldpress.ort import Library; from coldpress.errors import Internal\n"
        "try: Library.open(sys.argv[1])\n"
        "except Internal as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"{str(path)!r} cannot be opened as ONNX Runtime's library: ")


def test_a_library_without_onnx_runtime_in_it() -> None:
    script = (
        "import _ctypes; from coldpress.ort import Library; from coldpress.errors import Internal\n"
        "try: Library.open(_ctypes.__file__)\n"
        "except Internal as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "undefined symbol: OrtGetApiBase" in done.stdout


def test_sends_and_writes_nothing_home(build: object, tmp_path: Path) -> None:
    """ONNX Runtime's Linux wheels keep a device id and usage events below HOME unless told not to."""
    home, model = tmp_path / "home", tmp_path / "model.onnx"
    home.mkdir()
    model.write_bytes(build.unary("Relu"))  # type: ignore[attr-defined]
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "PATH": "", "TMPDIR": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", RUN_A_MODEL, str(model)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("00000000\n", "")
    assert list(home.rglob("*")) == []


def test_import_takes_only_light_modules() -> None:
    """Milliseconds each: dataclasses 7, typing 2.7, importlib.metadata 23; all of coldpress.ort takes 3."""
    script = "import sys, coldpress.ort; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {
        "numpy",
        "dataclasses",
        "inspect",
        "typing",
        "importlib.metadata",
        "pathlib",
        "logging",
        "threading",
    }
    assert heavy & set(done.stdout.split()) == set()
