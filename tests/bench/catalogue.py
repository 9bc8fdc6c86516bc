"""What is measured, and the floor that each figure must break."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure. `limit` is for the ratio ours : peer, or for our own value where `absolute`."""

    id: str
    title: str
    unit: str
    limit: float
    absolute: bool = False
    at_least: bool = False


PRESSED = ("size_ratio", "latency_ratio", "accuracy_delta")
"""What is measured of a press."""


def _pressed(recipe: str, network: str) -> tuple[Row, ...]:
    """The rows of one recipe's press."""
    size, latency, accuracy = (f"press_{what}_{recipe}" for what in PRESSED)
    return (
        Row(size, f"{network}, the pressed file: as trained", "bytes", 0.27),
        Row(latency, f"{network}, one request, pressed: as trained", "ms", 1.0),
        Row(accuracy, f"{network}, lost by the press: the gate's limit", "points", 0.5, absolute=True),
    )


def _overhead(recipe: str, network: str) -> Row:
    """The row of one recipe's training."""
    return Row(f"train_overhead_{recipe}", f"{network}, CPU time of a fit: a bare PyTorch loop", "ms", 1.1)


COLD = "first POST -> 200, spawn included"
ROWS = (
    Row("cold_mlp_vs_naive", f"small MLP, {COLD}: FastAPI + Mangum + boto3 + onnxruntime", "ms", 0.13),
    Row("cold_mlp_vs_powertools", f"small MLP, {COLD}: Powertools + boto3 + onnxruntime", "ms", 0.3),
    Row("cold_mlp_vs_noop", f"small MLP, {COLD}: a function that does nothing", "ms", 1.6),
    Row("cold_mlp_vs_onnxruntime", "small MLP: a bare process with onnxruntime, local model", "ms", 1.0),
    Row("cold_mlp_pagecache_vs_naive", f"small MLP, {COLD}, page cache dropped: FastAPI …", "ms", 0.2),
    Row("cold_cpu_mlp_vs_naive", "small MLP, CPU time of the whole process: FastAPI …", "ms", 0.12),
    Row("cold_conv_vs_naive", f"47 MB conv net, {COLD}: FastAPI …", "ms", 0.18),
    Row("cold_text_vs_naive", f"the demo's text model, {COLD}: FastAPI …", "ms", 0.15),
    Row("cold_bert_vs_naive", f"434 MB transformer, {COLD}: FastAPI …", "ms", 0.5),
    Row("cold_mlp_vs_mlserver", "small MLP, start -> first 200: MLServer with a local model", "ms", 0.06),
    Row("cold_mlp_vs_bentoml", "small MLP, start -> first 200: BentoML with a local model", "ms", 0.06),
    Row("cold_mlp_vs_litserve", "small MLP, start -> first 200: LitServe with a local model", "ms", 0.06),
    Row("warm_mlp_json_overhead_vs_naive", "small MLP, JSON: handler less bare run", "ms", 0.06),
    Row("warm_mlp_binary_overhead_vs_naive", "small MLP, binary: handler less bare run", "ms", 0.06),
    Row("warm_text_json_overhead_vs_naive", "the demo's text model, JSON: handler less bare run", "ms", 0.15),
    Row("warm_conv_json_overhead_vs_naive", "3x224x224, JSON: handler less bare run", "ms", 0.15),
    Row("warm_conv_binary_overhead_vs_naive", "3x224x224, binary: handler less bare run", "ms", 0.3),
    Row("load_bert_bandwidth", "434 MB from the store until ready: the download alone", "ms", 1.3),
    Row("rss_bert", "434 MB: peak resident memory : the model's bytes", "MB", 1.25),
    Row("package_unzipped_mb", "the predict function and its layers, unzipped", "MB", 45, absolute=True),
    Row("package_zipped_mb", "the predict function and its layers, zipped", "MB", 17, absolute=True),
    Row("answers_identical", "models with onnxruntime's very bytes : all", "models", 1, at_least=True),
    *_pressed("text-classifier", "the demo's text"),
    *_pressed("image-cnn", "two convolutions"),
    *_pressed("tabular-mlp", "MLP 1000-500-250-100"),
    *_pressed("regressor", "MLP 64-32"),
    *_pressed("sequence-rnn", "GRU"),
    *_pressed("text-transformer", "small transformer"),
    _overhead("text-classifier", "the demo's text"),
    _overhead("image-cnn", "two convolutions"),
    _overhead("tabular-mlp", "MLP 1000-500-250-100"),
)  # fmt: skip
BY_ID = {row.id: row for row in ROWS}
RECIPES = frozenset(row for row in BY_ID if row.startswith(("press_", "train_")))
"""What needs neither the package nor a store."""
QUICK = ("cold_mlp_vs_noop", "warm_mlp_json_overhead_vs_naive", "answers_identical")


@dataclass(frozen=True)
class Figure:
    """A measured row. `ours` and `peer` are medians."""

    id: str
    ours: float
    peer: float
    runs: int

    @property
    def ratio(self) -> float:
        """Ours to the peer's."""
        return self.ours / self.peer

    @property
    def holds(self) -> bool:
        """Whether the floor is broken."""
        row = BY_ID[self.id]
        value = self.ours if row.absolute else self.ratio
        return value >= row.limit if row.at_least else value <= row.limit
