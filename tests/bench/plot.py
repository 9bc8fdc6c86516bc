"""The README's picture, from the JSON: `python -m tests.bench.plot [FROM] [TO]`."""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

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


def draw(source: Path, target: Path) -> None:
    """Bars of the cold starts that were measured."""
    rows = {row["id"]: row for row in json.loads(source.read_text())["rows"]}
    bars = [(name, rows[row][whose], whose) for name, row, whose in BARS if row in rows]
    figure, axes = plt.subplots(figsize=(7.2, 0.36 * len(bars) + 0.7))
    colours = ["#0b7285" if whose == "ours" else "#ced4da" for _, _, whose in bars]
    drawn = axes.barh([name for name, _, _ in bars], [ms for _, ms, _ in bars], color=colours)
    axes.bar_label(drawn, fmt="%.0f ms", padding=3, fontsize=8)
    axes.set_xlim(right=1.12 * max(ms for _, ms, _ in bars))
    axes.invert_yaxis()
    axes.set_title("Cold start: process spawned to first prediction, small MLP", fontsize=9, loc="left")
    axes.tick_params(labelsize=8, length=0)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    figure.savefig(target, dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    draw(*(paths + [Path(".coldpress/bench.json"), Path("docs/bench.png")][len(paths) :]))
