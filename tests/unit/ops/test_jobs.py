"""Data into the store, orders into runs."""

from pathlib import Path
from typing import Any

import pytest

from coldpress import runs
from coldpress.errors import InvalidRequest, NotFound, Unsupported
from coldpress.store import Store
from coldpress_ops.jobs import backend, local
from coldpress_ops.jobs.datasets import stored
from coldpress_ops.jobs.orders import Order, start_local


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/objects")


def test_the_same_file_is_stored_once_by_its_contents(store: Store, tmp_path: Path, monkeypatch: Any) -> None:
    file = tmp_path / "Film reviews (2).csv"
    file.write_bytes(b"text,label\n")
    key = stored(store, str(file))
    assert key == "datasets/film-reviews-2/3d1efb1f982c7cee/Film-reviews-2-.csv"
    assert store.get(key).data == b"text,label\n"
    uploaded: list[str] = []
    monkeypatch.setattr(store, "upload", lambda key, _path: uploaded.append(key))
    assert stored(store, str(file)) == key
    assert uploaded == []
    file.write_bytes(b"text,label\nx,y\n")
    assert stored(store, str(file)) != key


def test_a_folder_keeps_its_files_and_their_names(store: Store, tmp_path: Path) -> None:
    for name in ("cat/1.png", "dog/a b.png"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    key = stored(store, str(tmp_path / "pets"))
    assert key.startswith("datasets/pets/")
    assert key.endswith("/")
    assert sorted(info.key.removeprefix(key) for info in store.walk(key)) == ["cat/1.png", "dog/a b.png"]
    assert stored(store, str(tmp_path / "pets")) == key


def test_what_is_in_the_store_and_what_is_packaged_stays_as_it_is(store: Store) -> None:
    assert stored(store, "iris") == "iris"
    assert stored(store, "breast_cancer") == "breast_cancer"
    assert stored(store, "datasets/d/1/rows.csv") == "datasets/d/1/rows.csv"
    assert stored(store, f"{store.url}/datasets/d/") == "datasets/d/"


@pytest.mark.parametrize(
    ("source", "words"),
    [("s3://elsewhere/rows.csv", "is not below"), ("nowhere.csv", "there is no data 'nowhere.csv': give"),
     ("some/where", "there is no data"), ("irises", "one of the packaged sets iris, ")],
)  # fmt: skip
def test_data_that_cannot_be(store: Store, source: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        stored(store, source)


def test_an_empty_folder(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest, match="is empty"):
        stored(store, str(tmp_path / "empty"))


def test_a_bad_order_uploads_nothing(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a\n")
    with pytest.raises(InvalidRequest, match="cannot name a model"):
        Order("r", data=str(file), publish="No").run(store)
    assert list(store.walk("datasets")) == []


@pytest.mark.parametrize("wish", [{"nodes": 2}, {"gpus": 1}])
def test_many_machines_are_for_batch(tmp_path: Path, wish: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest, match="for --on batch"):
        start_local(Order("r", **wish), tmp_path)  # type: ignore[arg-type]


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no runs"):
        backend.LocalRuns(tmp_path / "none")


def test_a_batch_run_is_not_stopped_from_here(tmp_path: Path) -> None:
    run = runs.create(local.store_of(tmp_path, make=True), runs.order("r"))
    with pytest.raises(Unsupported, match="stop it with --url"):
        backend.LocalRuns(tmp_path).stop(run.id)
