"""Finishes a layer's folder: libraries stripped and checked, an SBOM, the same bytes wherever it was built.

A script of the layers' Makefiles (layer.mk); pyelftools is all that it needs.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

import libraries
import sbom

# What pip notes about this very installation: paths and hashes of this machine.
NOTES = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
# 2 January 1980: zip files know no earlier day, in any time zone.
EPOCH = 315_619_200


def finish(
    folder: Path, layer: str, installed: Path, report: Path, machine: str, runtime: str, platforms: list[str]
) -> None:
    """Raises `libraries.Unfit` when a shared library would not load on Lambda."""
    for note in (found for name in NOTES for found in folder.glob(f"python/*.dist-info/{name}")):
        note.unlink()
    for about in folder.glob("python/*.dist-info/METADATA"):
        # Name, version, licence; what follows is the package's page on its index.
        about.write_text(about.read_text(encoding="utf-8").partition("\n\n")[0] + "\n", encoding="utf-8")
    # Console scripts name this machine's Python, and nobody calls them on Lambda.
    shutil.rmtree(folder / "python/bin", ignore_errors=True)
    files = [path for path in folder.rglob("*") if path.is_file() and report.parent not in path.parents]
    found = [path for path in files if libraries.is_library(path)]
    for path in found:
        libraries.check(path, machine, libraries.glibc_of(platforms), {path.name for path in found})
        libraries.strip(path)
    sbom.write(folder, layer, installed, report, {"runtime": runtime, "machine": machine})
    _settle(folder, report.parent)


def _settle(folder: Path, ours: Path) -> None:
    """Modes and times that follow from nothing but the contents; no empty folders."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path == ours or ours in path.parents:
            continue
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
            continue
        path.chmod(0o755 if path.is_dir() or libraries.is_library(path) else 0o644)
        os.utime(path, (EPOCH, EPOCH))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layer", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--installed", required=True, type=Path, help="where pip installed to")
    parser.add_argument("--report", required=True, type=Path, help="pip's installation report")
    parser.add_argument("--machine", required=True, choices=sorted(libraries.MACHINES))
    parser.add_argument("--runtime", required=True, help="Lambda's name of a Python, e.g. python3.13")
    parser.add_argument(
        "--platforms", required=True, type=str.split, help="wheel tags, e.g. manylinux_2_34_x86_64"
    )
    given = parser.parse_args()
    try:
        finish(**vars(given))
    except libraries.Unfit as error:
        sys.exit(f"{given.layer}: {error}")
