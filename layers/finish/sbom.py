"""A layer's software bill of materials, CycloneDX 1.6: what pip installed, with licence and hash.

Written by hand: the usual generators bring eight packages into the build, and write the time and a random
number into the file, so that no two builds would be alike. A test validates it against the schema.
"""

import json
import re
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any

SPEC = "1.6"


def write(folder: Path, layer: str, installed: Path, report: Path, built_for: dict[str, str]) -> None:
    """`folder`/sbom/`layer`.cdx.json: on Lambda all layers lie in one folder.

    `installed` holds what pip installed, and `report` is what pip says of that: the wheels' hashes.
    `built_for` names what the layer runs on; `coldpress deploy` compares it with what the functions will.
    """
    hashes = {
        _name(row["metadata"]["name"]): str(row["download_info"]["archive_info"]["hashes"]["sha256"])
        for row in json.loads(report.read_text())["install"]
    }
    components = [_wheel(each, hashes, folder) for each in metadata.distributions(path=[str(installed)])]
    own = folder / "python/coldpress/__init__.py"
    if own.is_file():
        version = re.search(r'^__version__ = "(.+)"', own.read_text(), re.MULTILINE)
        components.append(
            _component("coldpress", version[1] if version else "0", {"expression": "Apache-2.0"})
        )
    components.sort(key=lambda component: component["bom-ref"])
    bom: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": layer,
                "name": f"coldpress-layer-{layer}",
                "properties": [{"name": f"coldpress:{key}", "value": built_for[key]} for key in built_for],
            },
            "lifecycles": [{"phase": "build"}],
        },
        "components": components,
    }
    # The same contents have the same number.
    bom["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(bom)).urn
    target = folder / "sbom" / f"{layer}.cdx.json"
    target.parent.mkdir()
    target.write_text(json.dumps(bom, indent=1, ensure_ascii=False) + "\n")


def _wheel(installed: metadata.Distribution, hashes: dict[str, str], folder: Path) -> dict[str, Any]:
    about = installed.metadata
    name = _name(about["Name"])
    component = _component(name, installed.version, _licence(about))
    component["hashes"] = [{"alg": "SHA-256", "content": hashes[name]}]
    # A wheel with compiled parts may carry their own bill of materials (PEP 770).
    inner = sorted(folder.glob(f"python/{about['Name'].replace('-', '_')}-*.dist-info/sboms/*.json"))
    if inner:
        component["externalReferences"] = [
            {"type": "bom", "url": str(path.relative_to(folder))} for path in inner
        ]
    return component


def _component(name: str, version: str, licence: dict[str, Any]) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": [licence],
    }


def _name(name: str) -> str:
    """As indexes compare names: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(about: Any) -> dict[str, Any]:
    if about["License-Expression"]:
        return {"expression": about["License-Expression"]}
    rows = about.get_all("Classifier") or []
    classified = [row.rpartition(" :: ")[2] for row in rows if row.startswith("License :: OSI Approved ::")]
    # Some packages put the whole text there.
    stated = (about["License"] or "").strip().partition("\n")[0]
    return {"license": {"name": " and ".join(classified) or stated or "unknown"}}
