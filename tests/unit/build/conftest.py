"""A store in a folder, and a run in it."""

from pathlib import Path

import pytest

from coldpress import runs
from coldpress.runs import Run
from coldpress.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/objects")


@pytest.fixture
def run(store: Store) -> Run:
    return runs.create(store, runs.order("text-classifier"))
