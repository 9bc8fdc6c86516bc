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
)  # fmt: skip
BY_ID = {row.id: row for row in ROWS}
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
