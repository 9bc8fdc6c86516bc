"""The command line as a whole: help, versions, exit statuses, one line an error."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coldpress import __version__, runs
from coldpress_ops.cli import app
from coldpress_ops.jobs.local import store_of

COMMANDS = [
    "up",
    "demo",
    "keys",
    "train",
    "runs",
    "press",
    "publish",
    "predict",
    "models",
    "show",
    "promote",
    "rollback",
    "shadow",
    "deploy",
    "destroy",
    "doctor",
]


def run(*arguments: str, **how: Any) -> Any:
    return CliRunner().invoke(app, list(arguments), **how)


def test_version() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"coldpress {__version__}\n")


def test_help_shows_every_command_with_its_example() -> None:
    shown = run("--help").stdout
    for command in COMMANDS:
        assert f"$ coldpress {command}" in shown
    assert shown.index("─ Serve ─") < shown.index("─ Build ─") < shown.index("─ Models ─")
    assert shown.index("─ Models ─") < shown.index("─ Operate ─")


@pytest.mark.parametrize(
    "command",
    [[name] for name in COMMANDS if name != "keys"]
    + [["keys", "create"], ["keys", "list"], ["keys", "revoke"]]
    + [["runs", "show"], ["runs", "logs"], ["runs", "stop"]],
)
def test_every_command_explains_itself(command: list[str]) -> None:
    result = run(*command, "-h")
    assert result.exit_code == 0
    assert f"Example: coldpress {' '.join(command)}" in result.stdout


def test_nothing_slow_is_imported_for_help() -> None:
    slow = {
        "torch",
        "boto3",
        "onnx",
        "fastapi",
        "httpx",
        "numpy",
        "obstore",
        "onnxruntime",
        "rich.progress",
        "starlette",
        "uvicorn",
    }
    code = "import sys, coldpress_ops.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert slow & set(done.stdout.decode().split()) == set()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["publish"], "Missing argument"),
        (["nonsense"], "No such command"),
        (["models", "--nonsense"], "No such option"),
        (["promote", "sentiment", "0"], "VERSION"),
        (["shadow", "sentiment"], "give a VERSION, or --off"),
        (["shadow", "sentiment", "2", "--off"], "give a VERSION, or --off"),
        (["promote", "sentiment", "new"], "VERSION"),
        (["promote", "sentiment", "1", "--weight", "0"], "--weight is above 0 and at most 1, not 0"),
        (["promote", "sentiment", "1", "--weight", "nan"], "--weight is above 0 and at most 1, not nan"),
        (["predict", "sentiment"], "exactly one of them"),
        (["predict", "sentiment", "text", "--file", "x.txt"], "exactly one of them"),
        (["predict", "sentiment", "text", "--alias", "a", "--version", "1"], "not both"),
        (["keys", "create", "--days", "0"], "--days"),
    ],
)
def test_usage_errors_end_with_2(arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words.lower() in " ".join(result.stderr.replace("│", " ").split()).lower()
    assert "Traceback" not in result.stderr


def test_nobody_there(free_port: int, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port}"
    (tmp_path / "m.onnx").write_bytes(b"good")
    for arguments in (
        ["models"],
        ["show", "sentiment"],
        ["promote", "sentiment", "1"],
        ["promote", "sentiment", "1", "--weight", "0.5"],
        ["rollback", "sentiment"],
        ["shadow", "sentiment", "--off"],
        ["predict", "sentiment", "text"],
        ["publish", "sentiment", str(tmp_path / "m.onnx")],
    ):
        result = run(*arguments, "--url", url)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == f"error: cannot reach {url}; start one with: coldpress up\n"


@pytest.mark.parametrize("name", ["a/b", "..", "Upper", "x" * 300, "stats"])
def test_names_that_are_none(name: str, free_port: int, onnx_file: Path) -> None:
    for arguments in (
        ["show", name],
        ["promote", name, "1"],
        ["rollback", name],
        ["predict", name, "text"],
        ["publish", name, str(onnx_file)],
    ):
        result = run(*arguments, "--url", f"http://127.0.0.1:{free_port}")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("error: '")
        assert "cannot name a model" in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_bug_is_one_line_too_and_debug_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("coldpress_ops.cli.models.connect", broken)
    result = run("models")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: internal error, ZeroDivisionError: a bug; coldpress --debug … shows the traceback\n"
    )
    assert isinstance(run("--debug", "models").exception, ZeroDivisionError)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    for module in [name for name in sys.modules if name.startswith("coldpress_ops.client")]:
        monkeypatch.delitem(sys.modules, module)
    assert run("models").stderr == (
        "error: httpx is not installed; this command needs: pip install 'coldpress[api,build]'\n"
    )


def coldpress(*arguments: str, **how: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "coldpress_ops", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)


def test_ctrl_c_ends_quietly_with_130(deployment: Any, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"slow")
    environment = os.environ | {"COLDPRESS_URL": deployment.url, "COLDPRESS_API_KEY": deployment.admin}
    process = coldpress("publish", "sentiment", str(tmp_path / "m.onnx"), env=environment)
    while not deployment.uploaded:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_reader_that_goes_away(deployment: Any) -> None:
    deployment.register("sentiment", 1)
    environment = os.environ | {"COLDPRESS_URL": deployment.url, "COLDPRESS_API_KEY": deployment.admin}
    process = coldpress("show", "sentiment", "--json", env=environment)
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=30)
    assert err == b""


def test_the_list_of_runs_folds_neither_ids_nor_states(tmp_path: Path) -> None:
    store = store_of(tmp_path, make=True)
    order = runs.order("text-transformer", on="local", publish="a-model-with-quite-a-long-name")
    runs.create(store, order._replace(state="succeeded"))
    lines = run("runs", "--state", str(tmp_path)).stdout.splitlines()
    assert any(order.id in line and "succeeded" in line for line in lines)


@pytest.mark.parametrize(
    "command", [("train", "tabular-mlp", "--data", "none.csv"), ("press", "none.onnx", "--data", "none.csv")]
)
def test_a_url_that_cannot_be_one_is_refused_before_the_work(command: tuple[str, ...]) -> None:
    result = run(*command, "--publish", "wine", "--url", "nowhere")
    assert (result.exit_code, "'nowhere' is no URL of a deployment" in result.stderr) == (1, True)


def test_without_what_the_control_plane_imports_no_server_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "fastapi" else name)
    result = run("up", "--port", "0", "--state", str(tmp_path / "state"))
    assert (result.exit_code, result.stdout) == (1, "")
    expected = "error: fastapi is not installed; this command needs: pip install 'coldpress[api,build]'\n"
    assert result.stderr == expected
    assert not (tmp_path / "state").exists()


def test_a_terminal_without_the_characters() -> None:
    code = "from coldpress_ops import cli; cli.app = lambda: print('a \u2192 b'); cli.main()"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"a ? b\n", b"")
