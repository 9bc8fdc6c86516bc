"""The client against a real server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coldpress import errors
from coldpress_ops.client import Client, PublishResult, Refused
from coldpress_ops.transport import Unreachable


@pytest.fixture
def client(deployment: Any) -> Iterator[Client]:
    with Client(deployment.url, deployment.admin) as made:
        yield made


# ---------------------------------------------------------------------- the registry
def test_models_and_model(deployment: Any, client: Client) -> None:
    assert client.models() == []
    deployment.register("sentiment", 1, 2)
    assert client.models() == [
        {"name": "sentiment", "latest": 2, "aliases": {"prod": [{"version": 2, "weight": 1.0}]}}
    ]
    assert [row["version"] for row in client.model("sentiment")["versions"]] == [1, 2]


def test_promote_by_share_keeps_the_others_proportions(deployment: Any, client: Client) -> None:
    deployment.register("sentiment", 1, 2, 3)
    assert client.promote("sentiment", 1)["routes"] == [{"version": 1, "weight": 1.0}]
    assert client.promote("sentiment", 2, weight=0.2)["routes"] == [
        {"version": 1, "weight": 0.8},
        {"version": 2, "weight": 0.2},
    ]
    shares = {row["version"]: row["weight"] for row in client.promote("sentiment", 3, weight=0.5)["routes"]}
    assert shares == pytest.approx({1: 0.4, 2: 0.1, 3: 0.5})
    shares = {row["version"]: row["weight"] for row in client.promote("sentiment", 3, weight=0.9)["routes"]}
    assert shares == pytest.approx({1: 0.08, 2: 0.02, 3: 0.9})
    assert client.promote("sentiment", 3)["routes"] == [{"version": 3, "weight": 1.0}]
    shares = {row["version"]: row["weight"] for row in client.rollback("sentiment")["routes"]}
    assert shares == pytest.approx({1: 0.08, 2: 0.02, 3: 0.9})
    assert client.alias("sentiment")["routes"] == client.model("sentiment")["aliases"]["prod"]


def test_a_move_between_the_look_and_the_move_is_not_undone(deployment: Any, client: Client) -> None:
    deployment.register("sentiment", 1, 2, 3)
    client.promote("sentiment", 1)
    meanwhile = iter([3])

    class Late(Client):
        def move(self, *arguments: Any, **how: Any) -> dict[str, Any]:
            for version in meanwhile:
                client.promote("sentiment", version, weight=0.5)
            return super().move(*arguments, **how)

    with Late(deployment.url, deployment.admin) as late:
        position = late.promote("sentiment", 2, weight=0.2)
    shares = {row["version"]: row["weight"] for row in position["routes"]}
    assert shares == pytest.approx({1: 0.4, 2: 0.2, 3: 0.4})


@pytest.mark.parametrize("alias", ["prod", "canary"])
def test_a_share_needs_somebody_to_take_the_rest(deployment: Any, client: Client, alias: str) -> None:
    deployment.register("sentiment", 1)
    with pytest.raises(errors.InvalidRequest, match=f"alias '{alias}' of 'sentiment' has no other version"):
        client.promote("sentiment", 1, alias, weight=0.05)


@pytest.mark.parametrize("weight", [0.0, -0.1, 1.5, float("nan")])
def test_weights_that_are_no_share(client: Client, weight: float) -> None:
    with pytest.raises(errors.InvalidRequest, match="a weight is above 0 and at most 1"):
        client.promote("sentiment", 1, weight=weight)


# ---------------------------------------------------------------------- errors
def test_the_servers_words_are_the_errors(deployment: Any, client: Client) -> None:
    deployment.register("sentiment", 1)
    with pytest.raises(errors.NotFound, match=r"^model 'sentiment' has no version 9$"):
        client.promote("sentiment", 9)
    with pytest.raises(errors.Conflict, match=r"has never pointed anywhere else$"):
        client.rollback("sentiment")
    with (
        Client(deployment.url, deployment.reader) as reader,
        pytest.raises(errors.Forbidden, match=r"this needs admin$"),
    ):
        reader.promote("sentiment", 1)


@pytest.mark.parametrize(("key", "words"), [("", "no API key"), ("cp_wrong", "unknown API key")])
def test_no_good_key(deployment: Any, key: str, words: str) -> None:
    with Client(deployment.url, key) as client, pytest.raises(errors.Unauthorized, match=words) as caught:
        client.models()
    assert str(caught.value).endswith("; give a key with --key or COLDPRESS_API_KEY")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "ftp://here",
        "http://",
        "http://a:99999999",
        "file:///x",
        "http://[",
        "http://[::1",
    ],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(errors.InvalidRequest, match="is no URL of a deployment"):
        Client(url)


@pytest.mark.parametrize("key", ["schlüssel", "a\nb"])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(errors.InvalidRequest, match="characters that no key has") as caught:
        Client("http://127.0.0.1:8000", key)
    assert key not in str(caught.value)


def test_nobody_there(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    with Client(url) as client, pytest.raises(Unreachable) as caught:
        client.models()
    assert str(caught.value) == f"cannot reach {url}; start one with: coldpress up"


@pytest.mark.parametrize("name", ["a/b", "..", "Upper", "", "x" * 300, "stats", "-a"])
def test_names_are_checked_before_anything_is_sent(name: str, free_port: int, onnx_file: Path) -> None:
    with Client(f"http://127.0.0.1:{free_port}") as client:
        for call in (
            lambda: client.model(name),
            lambda: client.promote(name, 1),
            lambda: client.rollback(name),
            lambda: client.predict(name, "x"),
            lambda: client.publish(name, onnx_file),
        ):
            with pytest.raises(errors.InvalidRequest, match="cannot name a model"):
                call()


# ---------------------------------------------------------------------- predictions
@pytest.mark.parametrize(
    ("which", "path"),
    [
        ({}, "/models/sentiment/predict"),
        ({"alias": "canary"}, "/models/sentiment@canary/predict"),
        ({"version": 7}, "/models/sentiment/versions/7/predict"),
    ],
)
def test_predict_sends_bytes_as_they_are(client: Client, which: dict[str, Any], path: str) -> None:
    body = bytes(range(256))
    assert client.predict("sentiment", body, "image/png", **which) == {
        "predictions": [{"path": path, "type": "image/png", "body": body.decode("latin-1")}]
    }


def test_an_alias_and_a_version_are_one_too_many(client: Client) -> None:
    with pytest.raises(errors.InvalidRequest, match="not both"):
        client.predict("sentiment", "x", alias="prod", version=1)


# ---------------------------------------------------------------------- publishing
def test_publish(deployment: Any, client: Client, onnx_file: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    result = client.publish("sentiment", onnx_file, on_progress=lambda *progress: seen.append(progress))

    size = 700_004
    token = result.upload.removeprefix("sentiment.")
    assert result == PublishResult(
        model="sentiment",
        upload=f"sentiment.{token}",
        state="ready",
        version=1,
        alias="prod",
        size=size,
        upload_seconds=result.upload_seconds,
        seconds=result.seconds,
    )
    assert 0 < result.upload_seconds < result.seconds
    ((key, body, headers),) = deployment.uploaded
    assert (key, body) == (f"incoming/sentiment/{token}/model.onnx", onnx_file.read_bytes())
    assert headers["content-length"] == str(size)
    assert "transfer-encoding" not in headers
    # The signed URL may belong to somebody else's server: our key is not for it.
    assert "x-api-key" not in headers
    assert "authorization" not in headers
    sent = [progress for progress in seen if progress[0] == "uploading"]
    assert sent[0] == ("uploading", 0, size)
    assert sent[-1] == ("uploading", size, size)
    assert sent == sorted(sent)
    assert seen[-1] == ("ready", size, size)
    assert client.model("sentiment")["aliases"] == {"prod": [{"version": 1, "weight": 1.0}]}


@pytest.mark.parametrize(("alias", "aliases"), [("next", ["next"]), (None, [])])
def test_publish_to_another_alias_or_none(
    client: Client, onnx_file: Path, alias: str | None, aliases: list[str]
) -> None:
    assert client.publish("sentiment", str(onnx_file), alias).alias == alias
    assert list(client.model("sentiment")["aliases"]) == aliases


def test_publish_without_waiting(client: Client, onnx_file: Path) -> None:
    result = client.publish("sentiment", onnx_file, wait=False)
    assert (result.state, result.version) == ("received", None)
    assert client.upload(result.upload)["state"] in ("received", "ready")


def test_a_refusal_is_its_reason(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"bad")
    with pytest.raises(Refused, match=r"^model.onnx is no ONNX file$"):
        client.publish("sentiment", file)


def test_waiting_ends(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"slow")
    with pytest.raises(errors.Unavailable, match=r"is received after 0.3 s; it is not lost: see GET http"):
        client.publish("sentiment", file, wait_seconds=0.3)


def test_what_is_given_up_is_told_at_once_and_what_comes_again_is_waited_for(
    client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"trouble, try 3")
    with pytest.raises(errors.Unavailable, match=r"^given up after 3 tries: S3 is down; the file is kept"):
        client.publish("sentiment", file)
    file.write_bytes(b"trouble, try 2")
    with pytest.raises(errors.Unavailable, match=r"is failed \(S3 is down\) after 0.3 s; it is not lost"):
        client.publish("sentiment", file, wait_seconds=0.3)


def test_files_that_cannot_be_models(client: Client, deployment: Any, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "model.pt").write_bytes(b"good")
    (tmp_path / "big.onnx").write_bytes(bytes(1_000_001))
    for name, kind, words in (
        ("none.onnx", errors.InvalidRequest, "there is no file .*none.onnx"),
        ("folder.onnx", errors.InvalidRequest, "folder.onnx is a folder; give the .onnx file"),
        ("empty.onnx", errors.InvalidRequest, "empty.onnx is empty"),
        ("model.pt", errors.InvalidRequest, "model.pt does not end in .onnx"),
        ("big.onnx", errors.TooLarge, "big.onnx has 1000001 bytes, the limit is 1000000 "),
    ):
        with pytest.raises(kind, match=words):
            client.publish("sentiment", tmp_path / name)
    assert deployment.uploaded == []
    assert list(deployment.store.walk("incoming")) == []


@pytest.mark.parametrize(
    ("local", "uploaded"),
    [
        ("my model (2).onnx", "my-model--2.onnx"),
        (".onnx.onnx", "onnx.onnx"),
        ("модель.onnx", "model.onnx"),
        ("v1.2.onnx", "v1-2.onnx"),
        ("x" * 200 + ".onnx", "x" * 123 + ".onnx"),
    ],
)
def test_any_file_name_is_welcome(
    deployment: Any, client: Client, tmp_path: Path, local: str, uploaded: str
) -> None:
    (tmp_path / local).write_bytes(b"good")
    client.publish("sentiment", tmp_path / local)
    assert deployment.uploaded[0][0].rsplit("/", 1)[1] == uploaded


@pytest.mark.parametrize("size", [4, 700_003, 700_005, 900_000])
def test_a_file_that_changes_on_its_way(client: Client, onnx_file: Path, deployment: Any, size: int) -> None:
    def change(state: str, sent: int, _size: int) -> None:
        if state == "uploading" and sent == 0:
            onnx_file.write_bytes(b"good".ljust(size))

    with pytest.raises(errors.InvalidRequest, match="changed while it was being uploaded; publish it again"):
        client.publish("sentiment", onnx_file, on_progress=change)
    assert deployment.uploaded == []


def test_pauses_between_looks_grow(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"slow")
    pauses: list[float] = []
    monkeypatch.setattr("coldpress_ops.client.time.sleep", pauses.append)
    with pytest.raises(errors.Unavailable):
        client.publish("sentiment", file, wait_seconds=0.5)
    assert pauses[:3] == pytest.approx([0.05, 0.075, 0.1125])
    assert pauses == sorted(pauses)
    assert max(pauses) <= 2
