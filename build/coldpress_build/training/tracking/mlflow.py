"""MLflow, where it is installed and asked for; MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say where."""

import importlib
import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from coldpress_build.errors import ConfigurationError
from coldpress_build.training.results import Epoch

EXPERIMENT = "coldpress"
# mlflow's own defaults are 120 s, seven times over: one that is away must not hold up a training.
LIMITS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}


def check() -> None:
    """Raises `ConfigurationError` where it is not installed."""
    if find_spec("mlflow") is None:
        raise ConfigurationError(
            "tracking=mlflow needs the package mlflow: pip install mlflow-skinny (or leave tracking out: "
            "metrics.csv and TensorBoard's events are always written)"
        )


class MLflow:
    """One MLflow run for a training run; the seed in the names tells its fits apart."""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        for variable, value in LIMITS.items():
            os.environ.setdefault(variable, value)
        check()
        self._mlflow: Any = importlib.import_module("mlflow")
        self._mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT))
        self._mlflow.start_run(run_name=name)
        self._mlflow.log_params(dict(settings))

    def step(self, seed: int, step: int, loss: float, rate: float) -> None:
        """Not of steps: each is a request."""

    def epoch(self, seed: int, epoch: Epoch) -> None:
        """See `Tracker`."""
        figures = {"train_loss": epoch.train_loss, "validation_loss": epoch.validation_loss}
        figures |= {f"validation_{_plain(name)}": value for name, value in epoch.metrics.items()}
        named = {f"seed_{seed}/{name}": value for name, value in figures.items()}
        self._mlflow.log_metrics(named, step=epoch.step)

    def close(self) -> None:
        """See `Tracker`."""
        self._mlflow.end_run()


def _plain(name: str) -> str:
    """MLflow's names are ASCII."""
    return {"R²": "R2"}.get(name, name)
