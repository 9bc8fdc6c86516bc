"""Publishing, looking, moving and predicting from the shell, against a real server."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coldpress_ops.cli import app


@pytest.fixture
def run(deployment: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLDPRESS_URL", deployment.url)
    monkeypatch.setenv("COLDPRESS_API_KEY", deployment.admin)

    def invoke(*arguments: str, stdin: bytes | None = None) -> Any:
        return CliRunner().invoke(app, list(arguments), input=stdin)

    return invoke


def outcome(result: Any) -> tuple[int, str, str]:
    return result.exit_code, result.stdout, result.stderr


# ---------------------------------------------------------------------- publish
def test_publish_prints_the_version(run: Any, onnx_file: Path) -> None:
    status, out, err = outcome(run("publish", "sentiment", str(onnx_file)))
    assert (status, out) == (0, "1\n")
    assert err.startswith("sentiment version 1 is ready, prod points at it (0.70 MB, ")
    assert run("publish", "sentiment", "model.onnx").stdout == "2\n"


def test_publish_for_scripts(run: Any, onnx_file: Path) -> None:
    result = run("publish", "sentiment", str(onnx_file), "--alias", "next", "--json")
    answer = json.loads(result.stdout)
    seconds = answer.pop("seconds"), answer.pop("upload_seconds"), answer.pop("upload")
    assert all(seconds)
    assert answer == {
        "model": "sentiment",
        "state": "ready",
        "version": 1,
        "alias": "next",
        "size": 700_004,
    }
    assert result.stderr == ""


def test_publish_with_session_settings(run: Any, deployment: Any, onnx_file: Path) -> None:
    upload = run("publish", "sentiment", str(onnx_file), "--no-wait", "--no-arena").stdout.strip()
    record = json.loads(
        deployment.store.get(f"incoming/sentiment/{upload.partition('.')[2]}/upload.json").data
    )
    assert record["session"] == {"arena": False}


def test_publish_without_an_alias(run: Any, onnx_file: Path) -> None:
    result = run("publish", "sentiment", str(onnx_file), "--alias", "")
    assert result.stdout == "1\n"
    assert result.stderr.startswith("sentiment version 1 is ready (0.70 MB")
    assert json.loads(run("models", "--json").stdout)[0]["aliases"] == {}


def test_publish_without_waiting(run: Any, deployment: Any, onnx_file: Path) -> None:
    status, out, err = outcome(run("publish", "sentiment", str(onnx_file), "--no-wait"))
    assert status == 0
    assert out.startswith("sentiment.")
    assert err.endswith(f"what becomes of it: GET {deployment.url}/uploads/{out}")


def test_publish_shows_its_progress_to_whoever_watches(
    run: Any, onnx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes stderr for a terminal
    status, out, err = outcome(run("publish", "sentiment", str(onnx_file)))
    assert (status, out) == (0, "1\n")
    assert "uploading" in err
    assert "700.0/700.0 kB" in err
    assert "ready …" in err


def test_publish_stays_for_so_long(run: Any, tmp_path: Path) -> None:
    (tmp_path / "slow.onnx").write_bytes(b"slow")
    status, out, err = outcome(run("publish", "sentiment", "slow.onnx", "--timeout", "0.2"))
    assert (status, out) == (1, "")
    assert " is received after 0.2 s; it is not lost: see GET " in err
    assert err.startswith("error: the upload sentiment.")


def test_a_refusal_is_its_reason(run: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"bad")
    assert outcome(run("publish", "sentiment", "bad.onnx")) == (1, "", "error: model.onnx is no ONNX file\n")


def test_files_that_cannot_be_models(run: Any, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "model.pt").write_bytes(b"x")
    for file, error in (
        ("none.onnx", "there is no file none.onnx"),
        ("folder.onnx", "folder.onnx is a folder; give the .onnx file"),
        ("empty.onnx", "empty.onnx is empty"),
        ("model.pt", "model.pt does not end in .onnx: only ONNX files are ingested"),
        ("x" * 300 + ".onnx", "x" * 300 + ".onnx: File name too long"),
    ):
        assert outcome(run("publish", "sentiment", file)) == (1, "", f"error: {error}\n")


# ---------------------------------------------------------------------- the key
def test_where_the_key_comes_from(
    run: Any, deployment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcome(run("models", "--key", "cp_wrong")) == (
        1,
        "",
        "error: unknown API key; create one with: coldpress keys create; "
        "give a key with --key or COLDPRESS_API_KEY\n",
    )
    assert run("models", "--key", deployment.reader, "--json").stdout == "[]\n"

    monkeypatch.delenv("COLDPRESS_API_KEY")
    assert run("models").stderr.startswith("error: no API key: ")
    (tmp_path / ".coldpress").mkdir()
    (tmp_path / ".coldpress" / "key").write_text(deployment.reader + "\n")
    assert run("models", "--json").stdout == "[]\n"
    assert run("models", "--json", "--key", "cp_wrong").exit_code == 1
    (tmp_path / ".coldpress").rename(tmp_path / "elsewhere")
    assert run("models", "--json").exit_code == 1
    assert run("models", "--json", "--state", "elsewhere").stdout == "[]\n"


def test_a_local_key_stays_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coldpress_ops.cli.options import connect

    monkeypatch.delenv("COLDPRESS_API_KEY", raising=False)
    (tmp_path / "key").write_text("cp_local\n")
    for url, sent in (
        ("http://127.0.0.1:8000", "cp_local"),
        ("http://localhost:8000", "cp_local"),
        ("http://[::1]:8000", "cp_local"),
        ("https://models.example.org", None),
        ("http://localhost.example.org", None),
    ):
        with connect(url, "", tmp_path) as client:
            assert client._http.headers.get("x-api-key") == sent


# ---------------------------------------------------------------------- looking
def test_models(run: Any, deployment: Any) -> None:
    assert outcome(run("models")) == (
        0,
        "",
        "no models yet; publish one with: coldpress publish NAME FILE\n",
    )
    deployment.register("sentiment", 1, 2)
    deployment.registry.move("sentiment", "canary", {1: 0.95, 2: 0.05}, "2026-11-14T12:00:00Z")
    shown = run("models").stdout.split("\n")
    assert shown[1].split() == ["model", "latest", "aliases"]
    assert shown[3].split() == [
        "sentiment",
        "2",
        "canary",
        "→",
        "1",
        "(95",
        "%),",
        "2",
        "(5",
        "%)",
        "prod",
        "→",
        "2",
    ]
    assert json.loads(run("models", "--json").stdout) == [
        {
            "name": "sentiment",
            "latest": 2,
            "aliases": {
                "canary": [{"version": 1, "weight": 0.95}, {"version": 2, "weight": 0.05}],
                "prod": [{"version": 2, "weight": 1.0}],
            },
        }
    ]


def test_show(run: Any, deployment: Any) -> None:
    deployment.register("sentiment", 1, 2)
    shown = [line.split() for line in run("show", "sentiment").stdout.splitlines()]
    assert shown[1] == ["version", "created", "size", "metrics", "aliases"]
    assert shown[3] == ["1", "2026-11-14T10:33:01", "0.00", "MB", "accuracy", "0.79"]
    assert shown[4] == ["2", "2026-11-14T10:33:02", "0.00", "MB", "accuracy", "0.79", "prod"]
    assert [" ".join(line) for line in shown[6:]] == [
        "prod → 2",
        "input text: BYTES [-1, 1]",
        "output scores: FP32 [-1, 2]",
    ]
    assert json.loads(run("show", "sentiment", "--json").stdout)["latest"] == 2
    assert outcome(run("show", "nobody")) == (
        1,
        "",
        "error: model 'nobody' has no version; publish one with: coldpress publish nobody FILE\n",
    )


# ---------------------------------------------------------------------- moving
def test_promote_and_roll_back(run: Any, deployment: Any) -> None:
    deployment.register("sentiment", 1, 2)
    assert outcome(run("promote", "sentiment", "1")) == (0, "sentiment prod → 1\n", "")
    assert run("promote", "sentiment", "2", "--weight", "0.05").stdout == (
        "sentiment prod → 1 (95 %), 2 (5 %)\n"
    )
    assert run("rollback", "sentiment").stdout == "sentiment prod → 1\n"
    assert run("promote", "sentiment", "2", "--alias", "next").stdout == "sentiment next → 2\n"
    assert json.loads(run("rollback", "sentiment", "--json").stdout)["routes"] == [
        {"version": 1, "weight": 0.95},
        {"version": 2, "weight": 0.05},
    ]
    assert outcome(run("rollback", "sentiment", "--alias", "next")) == (
        1,
        "",
        "error: alias 'next' of 'sentiment' has never pointed anywhere else\n",
    )
    assert run("promote", "sentiment", "9").stderr == "error: model 'sentiment' has no version 9\n"


def test_shadow(run: Any, deployment: Any) -> None:
    deployment.register("sentiment", 1, 2)
    run("promote", "sentiment", "1")
    assert outcome(run("shadow", "sentiment", "2")) == (0, "sentiment prod → 1, beside it 2\n", "")
    assert json.loads(run("shadow", "sentiment", "2", "--json").stdout)["shadow"] == 2
    assert outcome(run("shadow", "sentiment", "--off")) == (0, "sentiment prod → 1\n", "")
    assert outcome(run("shadow", "sentiment", "1")) == (
        1,
        "",
        "error: version 1 answers for alias 'prod' of 'sentiment' already; "
        "a shadow is a version that does not\n",
    )


# ---------------------------------------------------------------------- predicting
PNG = b"\x89PNG\r\n\x1a\n rest"
NPY = b"\x93NUMPY\x01\x00 rest"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("what a film", "text/plain"),
        ("42", "text/plain"),
        ('{"text": "x"}', "application/json"),
        (" [1, 2]", "application/json"),
        ("[sic] a film", "text/plain"),
        ("", "text/plain"),
        ("ünïcode", "text/plain"),
    ],
)
def test_values(run: Any, value: str, kind: str) -> None:
    (prediction,) = json.loads(run("predict", "sentiment", value, "--json").stdout)["predictions"]
    assert prediction == {
        "path": "/models/sentiment/predict",
        "type": kind,
        "body": value.encode().decode("latin-1"),
    }


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.json", b"[1]\n", "application/json"),
        ("a.csv", b"1,2\n", "text/csv"),
        ("a.npy", NPY, "application/x-npy"),
        ("a.JPG", b"anything", "image/jpeg"),
        ("a.png", PNG, "image/png"),
        ("unnamed", NPY, "application/x-npy"),
        ("unnamed", PNG, "image/png"),
        ("unnamed", b"\xff\xd8\xff\xe0 rest", "image/jpeg"),
        ("unnamed", b'{"a": 1}\n', "application/json"),
    ],
)
def test_files_and_stdin(run: Any, tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    sent = {"path": "/models/sentiment/predict", "type": kind, "body": content.decode("latin-1")}
    assert json.loads(run("predict", "sentiment", "--file", name, "--json").stdout)["predictions"] == [sent]
    if name == "unnamed":
        result = run("predict", "sentiment", "-", "--json", stdin=content)
        assert json.loads(result.stdout)["predictions"] == [sent]


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_texts_last_line_break_is_not_sent(
    run: Any, deployment: Any, tmp_path: Path, ending: bytes
) -> None:
    (tmp_path / "a.txt").write_bytes(b"two\nlines" + ending)
    run("predict", "sentiment", "--file", "a.txt")
    run("predict", "sentiment", "-", stdin=b"two\nlines" + ending)
    run("predict", "sentiment", "a word ")
    assert [sent["body"] for sent in deployment.predictions] == ["two\nlines", "two\nlines", "a word "]


def test_which_version_is_asked(run: Any, deployment: Any) -> None:
    run("predict", "sentiment", "x", "--alias", "canary")
    run("predict", "sentiment", "x", "--version", "7")
    assert [sent["path"] for sent in deployment.predictions] == [
        "/models/sentiment@canary/predict",
        "/models/sentiment/versions/7/predict",
    ]


def test_what_cannot_be_told_is_said(run: Any, deployment: Any, tmp_path: Path) -> None:
    (tmp_path / "unnamed").write_bytes(b"\xff\xfe\x00")
    assert outcome(run("predict", "sentiment", "--file", "unnamed")) == (
        1,
        "",
        "error: cannot tell what is to be sent; say it: --type image/png\n",
    )
    run("predict", "sentiment", "--file", "unnamed", "--type", "image/webp")
    assert deployment.predictions[0]["type"] == "image/webp"
    for kind in ("клюc", "a\nb"):
        refused = run("predict", "sentiment", "x", "--type", kind)
        assert (refused.exit_code, f"--type is {kind!r}" in refused.stderr) == (2, True)
    assert run("predict", "sentiment", "--file", "gone").stderr == "error: gone: No such file or directory\n"
    assert run("predict", "sentiment", "--file", ".").stderr == "error: .: Is a directory\n"


def test_a_line_for_each_prediction(run: Any, deployment: Any) -> None:
    from starlette.responses import JSONResponse

    rows = [
        {"label": "positive", "score": 0.98765, "scores": {"positive": 0.98765}},
        {"y": [1.5, 2]},
        3,
    ]
    deployment.answers = [JSONResponse({"predictions": rows})]
    assert run("predict", "sentiment", "x").stdout == 'positive\t0.9877\n{"y": [1.5, 2]}\n3\n'
