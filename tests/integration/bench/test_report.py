"""What the benchmark writes down: its JSON, its picture, its table."""

import io
import json
from pathlib import Path

import pytest
from matplotlib.image import imread
from rich.console import Console

from ...bench import plot, report
from ...bench.catalogue import RECIPES, ROWS, Figure

MACHINE = {"cpu": "some CPU", "cores": 2}
FIGURES = [Figure(row.id, 12.5, 50.0, 3) for row in ROWS]

# The contract of what is measured: programs read these.
IDS = {
    "cold_mlp_vs_naive", "cold_conv_vs_naive", "cold_mlp_vs_noop", "cold_mlp_pagecache_vs_naive",
    "cold_bert_vs_naive", "cold_mlp_vs_mlserver", "cold_mlp_vs_bentoml", "cold_mlp_vs_litserve",
    "cold_cpu_mlp_vs_naive", "warm_mlp_json_overhead_vs_naive", "warm_mlp_binary_overhead_vs_naive",
    "warm_conv_json_overhead_vs_naive", "warm_conv_binary_overhead_vs_naive", "load_bert_bandwidth",
    "rss_bert", "package_unzipped_mb", "package_zipped_mb", "answers_identical",
    *(f"press_{what}_{recipe}" for what in ("size_ratio", "latency_ratio", "accuracy_delta")
      for recipe in ("text-classifier", "image-cnn", "tabular-mlp")),
    *(f"train_overhead_{recipe}" for recipe in ("text-classifier", "image-cnn", "tabular-mlp")),
}  # fmt: skip


def test_the_json(tmp_path: Path) -> None:
    report.write_json(FIGURES, MACHINE, tmp_path / "deep" / "bench.json")
    written = json.loads((tmp_path / "deep" / "bench.json").read_text())
    assert set(written) == {"machine", "rows"}
    assert written["machine"] == MACHINE
    assert written["rows"][0] == {
        "id": "cold_mlp_vs_naive", "ours": 12.5, "peer": 50.0, "ratio": 0.25, "unit": "ms", "runs": 3,
    }  # fmt: skip
    assert {row["id"] for row in written["rows"]} >= IDS


@pytest.mark.parametrize("figures", [FIGURES, FIGURES[:1], FIGURES[-1:]])
def test_the_picture_is_as_wide_as_a_readme(tmp_path: Path, figures: list[Figure]) -> None:
    report.write_json(figures, MACHINE, tmp_path / "bench.json")
    plot.draw(tmp_path / "bench.json", tmp_path / "bench.png")
    height, width, _ = imread(tmp_path / "bench.png").shape
    assert width == 900
    assert 100 < height < 900


def test_every_bar_is_of_a_row_that_there_is() -> None:
    known = {row.id for row in ROWS}
    assert {row for _, row, _ in plot.BARS} | {row for _, row in plot.RATIOS} <= known


def test_the_picture_is_of_serving_alone() -> None:
    drawn = {row for _, row, _ in plot.BARS} | {row for _, row in plot.RATIOS}
    assert not drawn & RECIPES


def test_the_table_names_every_figure() -> None:
    text = io.StringIO()
    report.print_table(FIGURES, MACHINE, Console(file=text, width=200))
    for row in ROWS:
        assert f" {row.id} " in text.getvalue()
    assert "12.5 ms" in text.getvalue()
