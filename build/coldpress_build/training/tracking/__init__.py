"""Where the figures of each epoch go while a network is fitted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from coldpress_build.training.settings import Training
from coldpress_build.training.tracking.csv_file import CsvFile
from coldpress_build.training.tracking.mlflow import MLflow, check
from coldpress_build.training.tracking.tracker import Several, Tracker

CSV, EVENTS = "metrics.csv", "tensorboard"


def check_installed(how: Training) -> None:
    """Raises `ConfigurationError` for a tracking that is asked for and not installed: before, not after."""
    if how.tracking == "mlflow":
        check()


@contextmanager
def tracking(folder: Path, name: str, how: Training) -> Iterator[Tracker]:
    """Into `folder`, and wherever the settings ask for under `name`; all is written when the block ends."""
    from coldpress_build.training.tracking.tensorboard import TensorBoard

    trackers: list[Tracker] = [CsvFile(folder / CSV), TensorBoard(folder / EVENTS)]
    told = Several(*trackers)
    try:
        if how.tracking == "mlflow":
            told = Several(*trackers, MLflow(name, asdict(how)))
        yield told
    finally:
        told.close()
