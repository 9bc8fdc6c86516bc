"""The benchmark itself works: a quick run measures what it says and writes it down."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ...bench.catalogue import BY_ID, QUICK, ROWS, Figure

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.slow
def test_a_quick_run(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--output", str(output)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(output.read_text())
    rows = {row["id"]: row for row in written["rows"]}
    assert set(rows) == set(QUICK)
    for row in rows.values():
        assert set(row) == {"id", "ours", "peer", "ratio", "unit", "runs"}
        assert row["ratio"] == pytest.approx(row["ours"] / row["peer"], rel=0.01)
    assert rows["answers_identical"]["ratio"] == 1
    assert rows["cold_mlp_vs_noop"]["ours"] > rows["cold_mlp_vs_noop"]["peer"] > 0
    assert written["machine"]["cores"] >= 1


def test_an_unknown_row_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--only", "nonsense"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "no row 'nonsense'" in done.stderr


def test_every_row_is_named_once() -> None:
    assert len(BY_ID) == len(ROWS)


@pytest.mark.parametrize(
    ("figure", "holds"),
    [
        (Figure("cold_mlp_vs_noop", 16.0, 10.0, 1), True),
        (Figure("cold_mlp_vs_noop", 16.1, 10.0, 1), False),
        (Figure("package_zipped_mb", 17.0, 60.0, 1), True),
        (Figure("package_zipped_mb", 17.1, 60.0, 1), False),
        (Figure("answers_identical", 3, 3, 1), True),
        (Figure("answers_identical", 2, 3, 1), False),
    ],
)
def test_floors(figure: Figure, holds: bool) -> None:
    assert figure.holds is holds
