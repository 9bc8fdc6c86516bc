"""The README's picture, from the JSON: `python -m tests.bench.plot [FROM] [TO]`."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from .catalogue import BY_ID

OURS, OTHERS, MUTED = "#0b7285", "#ced4da", "#868e96"
WIDTH_INCHES, DPI = 9.0, 100
"""900 pixels, which a README shows as they are."""

# (what, a row that has it, whose value in that row); slowest first.
BARS = (
    ("BentoML", "cold_mlp_vs_bentoml", "peer"),
    ("LitServe", "cold_mlp_vs_litserve", "peer"),
    ("MLServer", "cold_mlp_vs_mlserver", "peer"),
    ("FastAPI + Mangum + boto3 + onnxruntime", "cold_mlp_vs_naive", "peer"),
    ("Powertools + boto3 + onnxruntime", "cold_mlp_vs_powertools", "peer"),
    ("import onnxruntime, no Lambda", "cold_mlp_vs_onnxruntime", "peer"),
    ("Coldpress", "cold_mlp_vs_naive", "ours"),
    ("a function that does nothing", "cold_mlp_vs_noop", "peer"),
)
RATIOS = (
    ("cold start, small MLP", "cold_mlp_vs_naive"),
    ("… with a cold page cache", "cold_mlp_pagecache_vs_naive"),
    ("… CPU time", "cold_cpu_mlp_vs_naive"),
    ("cold start, demo's text model", "cold_text_vs_naive"),
    ("cold start, 47 MB conv net", "cold_conv_vs_naive"),
    ("cold start, 434 MB transformer", "cold_bert_vs_naive"),
    ("warm overhead, small MLP, JSON", "warm_mlp_json_overhead_vs_naive"),
    ("warm overhead, 3x224x224, JSON", "warm_conv_json_overhead_vs_naive"),
    ("warm overhead, 3x224x224, binary", "warm_conv_binary_overhead_vs_naive"),
)


def draw(source: Path, target: Path) -> None:
    """Cold starts in milliseconds, and everything that is compared with the usual function, as a ratio."""
    rows = {row["id"]: row for row in json.loads(source.read_text())["rows"]}
    bars = [bar for bar in BARS if bar[1] in rows]
    ratios = [ratio for ratio in RATIOS if ratio[1] in rows]
    heights = [max(len(bars), 1), max(len(ratios), 1)]
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(WIDTH_INCHES, 1.3 + 0.3 * sum(heights)), height_ratios=heights, layout="constrained"
    )
    _bars(above, rows, bars)
    _ratios(below, rows, ratios)
    figure.savefig(target, dpi=DPI, metadata={"Software": None})
    plt.close(figure)


def _bars(axes: Axes, rows: dict[str, Any], bars: list[tuple[str, str, str]]) -> None:
    values = [rows[row][whose] for _, row, whose in bars]
    drawn = axes.barh(
        [name for name, _, _ in bars],
        values,
        color=[OURS if whose == "ours" else OTHERS for _, _, whose in bars],
    )
    axes.bar_label(drawn, fmt="%.0f ms", padding=3, fontsize=9)
    axes.set_xlim(0, 1.12 * max(values, default=1))
    _plain(axes, "Cold start of a small MLP: process spawned to first answer")


def _ratios(axes: Axes, rows: dict[str, Any], ratios: list[tuple[str, str]]) -> None:
    values = [100 * rows[row]["ratio"] for _, row in ratios]
    limits = [100 * BY_ID[row].limit for _, row in ratios]
    axes.barh([name for name, _ in ratios], values, color=OURS)
    axes.set_xlim(0, 1.12 * max([*values, *limits], default=1))
    for place, (value, limit) in enumerate(zip(values, limits, strict=True)):
        axes.plot([limit, limit], [place - 0.4, place + 0.4], color=MUTED, linewidth=1.5)
        axes.annotate(
            f"{value:.0f} %",
            (max(value, limit), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            size=9,
        )
    _plain(axes, "In per cent of FastAPI + Mangum + boto3 + onnxruntime (grey: the floor to break)")


def _plain(axes: Axes, title: str) -> None:
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10, loc="left")
    axes.tick_params(labelsize=9, length=0)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    draw(*(paths + [Path(".coldpress/bench.json"), Path("docs/bench.png")][len(paths) :]))
