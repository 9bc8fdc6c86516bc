"""What lies in a layer: licences, a bill of materials, fitting libraries, bytecode, not too much."""

import importlib.util
import json
import marshal
import subprocess
import sys
import zipfile
from importlib import metadata
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from .conftest import LAYERS, MACHINE, PROJECT

MB = 1_000_000
UNZIPPED, ZIPPED = 45 * MB, 17 * MB
"""Of the predict function with its layers: what a cold start fetches and unpacks."""


@pytest.fixture(scope="session")
def libraries() -> ModuleType:
    spec = importlib.util.spec_from_file_location("libraries", PROJECT / "layers/finish/libraries.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def shared_libraries(folder: Path) -> list[Path]:
    return [path for path in files(folder) if path.read_bytes()[:4] == b"\x7fELF"]


@pytest.mark.parametrize("machine", ["built", "built_for_arm"])
def test_predict_and_its_layers_stay_within_their_budget(
    machine: str, request: pytest.FixtureRequest
) -> None:
    layers: dict[str, Path] = request.getfixturevalue(machine)
    code = [path for path in files(PROJECT / "functions/predict") if path.suffix == ".py"]
    parts = {"code": code, **{layer: files(layers[layer]) for layer in ("serving", "onnxruntime")}}
    # Only a Python older than the functions' needs it, as the tests' own may be.
    parts["serving"] = [path for path in parts["serving"] if "typing_extensions" not in str(path)]
    unzipped = {part: sum(path.stat().st_size for path in found) for part, found in parts.items()}
    zipped = {part: _zipped(found) for part, found in parts.items()}
    assert sum(unzipped.values()) <= UNZIPPED, unzipped
    assert sum(zipped.values()) <= ZIPPED, zipped


def _zipped(paths: list[Path]) -> int:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.as_posix())
    return len(buffer.getvalue())


@pytest.mark.parametrize("layer", LAYERS)
def test_the_bill_of_materials_is_valid_and_complete(layer: str, built: dict[str, Path]) -> None:
    text = (built[layer] / f"sbom/{layer}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = {each["name"]: each for each in json.loads(text)["components"]}
    wheels = {name: each for name, each in components.items() if name != "coldpress"}
    installed = {
        each.metadata["Name"].lower().replace("_", "-"): each.version
        for each in metadata.distributions(path=[str(built[layer] / "python")])
    }
    # ONNX Runtime's library comes without its Python package.
    installed = installed or {"onnxruntime": "1.31.1"}
    assert {name: each["version"] for name, each in wheels.items()} == installed
    locked = (PROJECT / f"layers/{layer}/requirements.txt").read_text()
    for each in wheels.values():
        assert f"--hash=sha256:{each['hashes'][0]['content']}" in locked
    assert ("coldpress" in components) == (layer == "serving")


@pytest.mark.parametrize("layer", LAYERS)
def test_every_package_brings_its_licence(layer: str, built: dict[str, Path]) -> None:
    folder = built[layer]
    for component in json.loads((folder / f"sbom/{layer}.cdx.json").read_text())["components"]:
        name = component["name"].replace("-", "_")
        own = [*folder.glob(f"licences/{component['name']}/LICENSE")]
        wheels = [
            path
            for path in folder.glob(f"python/{name}-*.dist-info/**/*")
            if path.name.upper().startswith(("LICEN", "COPYING"))
        ]
        assert [path for path in own + wheels if path.is_file() and path.stat().st_size > 500], name


@pytest.mark.parametrize(("machine", "name"), [("built", MACHINE), ("built_for_arm", "aarch64")])
def test_libraries_are_the_machines_own_and_fit_lambda(
    machine: str, name: str, request: pytest.FixtureRequest
) -> None:
    kinds = {"x86_64": 62, "aarch64": 183}  # e_machine, at byte 18 of an ELF file
    layers: dict[str, Path] = request.getfixturevalue(machine)
    found = {layer: shared_libraries(folder) for layer, folder in layers.items()}
    assert [path.name for path in found["onnxruntime"]] == ["libonnxruntime.so.1.31.1"]
    assert [path.name.partition(".")[0] for path in found["serving"]] == ["_obstore", "orjson", "_pybase64"]
    assert found["web"]
    for path in (path for paths in found.values() for path in paths):
        header = path.read_bytes()[:64]
        assert int.from_bytes(header[18:20], "little") == kinds[name]
        assert int.from_bytes(header[60:62], "little") == 0, "section headers, so symbols, are gone"


def test_a_library_that_lambda_cannot_load_is_refused(libraries: ModuleType, tmp_path: Path) -> None:
    wheel = metadata.distribution("onnxruntime").files or []
    (path,) = (Path(str(file.locate())) for file in wheel if "libonnxruntime.so" in file.name)
    other = "aarch64" if MACHINE == "x86_64" else "x86_64"
    libraries.check(path, MACHINE, (2, 34))
    with pytest.raises(libraries.Unfit, match=rf"libonnxruntime.so.* is for EM_.*, not for {other}"):
        libraries.check(path, other, (2, 34))
    with pytest.raises(libraries.Unfit, match=r"needs GLIBC_2\.\d+ of .*, and Lambda has 2\.17"):
        libraries.check(path, MACHINE, (2, 17))
    bare = tmp_path / "bare.so"
    bare.write_bytes(path.read_bytes())
    libraries.strip(bare)
    with pytest.raises(libraries.Unfit, match="no section headers"):
        libraries.check(bare, MACHINE, (2, 34))


@pytest.mark.parametrize("layer", ["serving", "web"])
def test_every_module_has_bytecode_that_needs_no_check(layer: str, built: dict[str, Path]) -> None:
    modules = [path for path in files(built[layer] / "python") if path.suffix == ".py"]
    assert modules
    for path in modules:
        code = Path(importlib.util.cache_from_source(str(path))).read_bytes()
        assert code[:4] == importlib.util.MAGIC_NUMBER
        # PEP 552: 1 is a hash instead of a time, and never looked at.
        assert int.from_bytes(code[4:8], "little") == 1, path
        compiled = marshal.loads(code[16:])  # noqa: S302
        assert compiled.co_filename == f"/opt/{path.relative_to(built[layer])}"


def test_nothing_of_this_machine_is_left(built: dict[str, Path]) -> None:
    for folder in built.values():
        for path in files(folder):
            assert str(folder).encode() not in path.read_bytes(), path
            assert path.name not in ("RECORD", "INSTALLER", "direct_url.json", "redoc.standalone.js")
        assert not (folder / "python/bin").exists()
        for about in folder.glob("python/*.dist-info/METADATA"):
            assert "\n\n" not in about.read_text(), "the package's page on its index"
        assert not (folder / ".build").exists()


def test_the_layers_answer_together(built: dict[str, Path]) -> None:
    command = [
        *(sys.executable, "-I", "-S", "-B", str(PROJECT / "layers/finish/infer.py")),
        *(str(built["onnxruntime"] / "lib"), str(built["serving"] / "python")),
    ]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.parametrize(
    ("layer", "module", "kept"),
    [("serving", "coldpress/serving.py", False), ("web", "fastapi/__init__.py", True)],
)
def test_docstrings_are_left_out_of_the_cold_path_alone(
    layer: str, module: str, kept: bool, built: dict[str, Path]
) -> None:
    """The control plane's documentation is made of them; a cold start would read them for nothing."""
    path = built[layer] / "python" / module
    code = marshal.loads(Path(importlib.util.cache_from_source(str(path))).read_bytes()[16:])  # noqa: S302
    assert path.read_text().startswith('"""')
    assert ("__doc__" in code.co_names) == kept
