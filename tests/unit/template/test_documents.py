"""What the documents say of the template and of the tests is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from coldpress_ops import diagram

from ...support import cloudformation

ROOT = cloudformation.TEMPLATE.parent
DOCS = ROOT / "docs"


def test_the_diagram_is_the_templates() -> None:
    document = (DOCS / "architecture.md").read_text()
    drawn = diagram.written_into(document, diagram.diagram(cloudformation.TEMPLATE))
    assert document == drawn, f"run: python -m coldpress_ops.diagram {DOCS / 'architecture.md'}"


def test_the_diagram_shows_who_reads_and_who_writes() -> None:
    lines = {line.strip() for line in diagram.diagram(cloudformation.TEMPLATE).splitlines()}
    assert {"models --> PredictFunction", "IngestFunction ==> rejected", "ApiFunction ==> incoming"} <= lines
    assert 'incoming -.->|"*.onnx created"| IngestQueue -.-> IngestFunction' in lines
    assert not {line for line in lines if line.startswith("PredictFunction ==>")}


def test_the_diagram_is_printed_and_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "coldpress_ops.diagram"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert printed.startswith("flowchart LR\n")
    document = tmp_path / "a.md"
    document.write_text(f"before {diagram.BEGIN}\nold\n{diagram.END} after")
    subprocess.run([*command, str(document)], cwd=ROOT, timeout=60, check=True)
    expected = f"before {diagram.BEGIN}\n```mermaid\n{printed}```\n{diagram.END} after"
    assert document.read_text() == expected


def test_a_document_without_a_place_for_the_diagram() -> None:
    with pytest.raises(ValueError, match="no place for the diagram"):
        diagram.written_into("text", "flowchart LR")


def test_every_test_that_the_security_document_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "security.md").read_text()))
    assert len(named) > 30
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert {name for name in named if f"def {name}(" not in tests} == set()
