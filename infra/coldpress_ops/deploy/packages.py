"""What `sam build` made, held against Lambda's limit and Coldpress's own budget."""

import json
from pathlib import Path

import yaml

from coldpress_ops.doctor.findings import Broken, Note

MB = 1_000_000
LIMIT = 250 * 1024 * 1024
"""A function with its layers, unzipped: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
BUDGET = {"PredictFunction": 45 * MB}
"""Above this, cold starts are slower than the ones that were measured."""


def sizes(built: Path) -> dict[str, int]:
    """Bytes of each function with its layers, unzipped, by logical id."""
    resources = yaml.safe_load((built / "template.yaml").read_text())["Resources"]
    folders = {
        name: built / resource["Properties"][key]
        for name, resource in resources.items()
        for key in ("CodeUri", "ContentUri")
        if isinstance(resource.get("Properties", {}).get(key), str)
    }
    weights = {name: _weight(folder) for name, folder in folders.items()}
    return {
        name: weights[name] + sum(weights.get(layer.get("Ref", ""), 0) for layer in _layers(resources[name]))
        for name in folders
        if resources[name]["Type"] == "AWS::Serverless::Function"
    }


def _layers(function: dict[str, dict[str, list[dict[str, str]]]]) -> list[dict[str, str]]:
    return [layer for layer in function["Properties"].get("Layers", []) if isinstance(layer, dict)]


def _weight(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def check_sizes(built: Path) -> str:
    """Raises `Broken` above the limit, `Note` above the budget."""
    found = sizes(built)
    words = ", ".join(f"{name} {size / MB:.1f} MB" for name, size in found.items())
    over = {name: LIMIT for name, size in found.items() if size > LIMIT}
    if over:
        raise Broken(f"{words}; Lambda takes {LIMIT / MB:.0f} MB", f"make {', '.join(over)} smaller")
    heavy = [name for name, size in found.items() if size > BUDGET.get(name, LIMIT)]
    if heavy:
        limits = ", ".join(f"{name} {BUDGET[name] / MB:.0f} MB" for name in heavy)
        raise Note(f"{words}; budget: {limits}", "see what grew: du -a .aws-sam/build | sort -n")
    return words


def check_fit(built: Path, runtime: str, machine: str) -> str:
    """Raises `Broken` for layers of another Python or processor: the functions would not start."""
    wanted = {"runtime": runtime, "machine": machine}
    for bill in sorted(built.glob("*/sbom/*.cdx.json")):
        rows = json.loads(bill.read_text())["metadata"]["component"].get("properties", [])
        found = {row["name"].removeprefix("coldpress:"): row["value"] for row in rows}
        if found != wanted:
            what = " on ".join(found.get(key, "an unknown " + key) for key in wanted)
            raise Broken(
                f"{bill.parent.parent.name} is built for {what}, not for {runtime} on {machine}",
                "unset MACHINE, RUNTIME and PLATFORMS, and deploy again",
            )
    return f"{runtime} on {machine}"


def check_bytecode(built: Path) -> str:
    """Raises `Note` when the layers were built by another Python than the functions run on."""
    layers = [folder for folder in sorted(built.iterdir()) if (folder / "python").is_dir()]
    bare = [folder.name for folder in layers if not any(folder.rglob("*.pyc"))]
    if bare:
        raise Note(
            f"none in {', '.join(bare)}: cold starts take 0.1 to 0.2 s longer",
            "install the Python that the parameter Runtime names, and deploy again",
        )
    return f"in {', '.join(folder.name for folder in layers)}"
