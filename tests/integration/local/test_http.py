"""Requests through the real server to functions under the real runtime interface client."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from coldpress_ops.serverprocess import ServerProcess

from .conftest import APPLICATION, eventually


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_request_and_answer(http: httpx.Client) -> None:
    answer = http.post(
        "/answer/event?a=1&a=2", content=b'{"x": 1}', headers={"content-type": "application/json"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    event = answer.json()["event"]
    assert event["routeKey"] == "ANY /answer/{what}"
    assert event["rawPath"] == "/answer/event"
    assert event["pathParameters"] == {"what": "event"}
    assert event["queryStringParameters"] == {"a": "1,2"}
    assert event["headers"]["content-type"] == "application/json"
    assert (event["body"], event["isBase64Encoded"]) == ('{"x": 1}', False)
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert 15_000 < answer.json()["left"] <= 20_000


def test_function_environment(http: httpx.Client, server: ServerProcess) -> None:
    answer = http.get("/answer/environment").json()
    environment = answer["environment"]
    folder = str(APPLICATION / "functions" / "answer")
    assert answer["folder"] == folder
    expected = {
        "GREETING": "hello",
        "AWS_LAMBDA_FUNCTION_NAME": "Answer",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "LAMBDA_TASK_ROOT": folder,
        "COLDPRESS_STORE": f"file://{server.state}/objects",
        "COLDPRESS_UPLOAD_SECRET": (server.state / "secret").read_text(),
        "COLDPRESS_MAX_MODEL_BYTES": "1000000",
    }
    assert expected.items() <= environment.items()
    assert "AWS_SECRET_ACCESS_KEY" not in environment


def test_binary_both_ways(http: httpx.Client) -> None:
    body = os.urandom(1_000_000)
    answer = http.post("/answer/binary", content=body, headers={"content-type": "application/octet-stream"})
    assert answer.content == body[::-1]
    assert answer.headers["content-type"] == "application/octet-stream"


def test_status_headers_and_cookies(http: httpx.Client) -> None:
    answer = http.get("/answer/status?status=418")
    assert (answer.status_code, answer.text) == (418, "text")
    assert answer.headers["x-answer"] == "yes"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_answer_without_a_body(http: httpx.Client) -> None:
    assert http.get("/answer/status?status=204").content == b""
    head = http.head("/answer/status?status=200")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "4")
    assert http.get("/answer/pid").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nowhere"), ("POST", "/impatient"), ("HEAD", "/impatient"), ("GET", "/answer")],
)
def test_no_route(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 404
    if method != "HEAD":
        assert answer.json() == {"error": f"there is no route {method} {path}"}


def test_bodies_over_the_limits(http: httpx.Client) -> None:
    text = {"content-type": "text/plain"}
    assert http.post("/answer/length", content=b"x" * 6_000_000, headers=text).json() == {"length": 6_000_000}
    over_event = http.post("/answer/length", content=b"x" * 5_000_000)
    assert over_event.status_code == 413
    assert "a function takes at most 6291456" in over_event.json()["error"]
    over_body = http.post("/answer/length", content=b"x" * 10_500_000, headers=text)
    assert over_body.status_code == 413
    assert "the limit is 10485760" in over_body.json()["error"]
    over_stream = http.post("/answer/length", content=(b"x" * 1_000_000 for _ in range(11)), headers=text)
    assert over_stream.status_code == 413
    assert http.get("/answer/pid").status_code == 200


def test_answers_over_the_limit(http: httpx.Client) -> None:
    assert len(http.get("/answer/long?length=6000000").content) == 6_000_000
    over = http.get("/answer/long?length=6300000")
    assert over.status_code == 500
    assert "a function sends at most 6291456" in over.json()["error"]


@pytest.mark.parametrize("what", ["raise", "malformed"])
def test_a_failing_function_tells_callers_no_details(http: httpx.Client, what: str) -> None:
    answer = http.get(f"/answer/{what}")
    assert answer.status_code == 500
    assert list(answer.json()) == ["error"]
    assert "not for callers" not in answer.text


def test_a_function_that_cannot_start(http: httpx.Client, server: ServerProcess) -> None:
    for _ in range(2):
        answer = http.get("/broken")
        assert (answer.status_code, answer.json()) == (
            500,
            {"error": "Broken failed; its log has the details"},
        )
    log = server.state / "logs" / "Broken.log"
    eventually(lambda: "no_such_module_anywhere" in log.read_text())
    assert "no_such_module_anywhere" in (server.state / "up.log").read_text()


def test_one_environment_serves_one_request_at_a_time(http: httpx.Client) -> None:
    first = http.get("/answer/pid").json()["pid"]
    assert http.get("/answer/pid").json()["pid"] == first
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: http.get("/answer/pid?sleep=0.5").json()["pid"], range(2)))
    assert len(set(answers)) == 2
    assert first in answers


def test_timeout_ends_the_environment(http: httpx.Client) -> None:
    pid = http.get("/impatient").json()["pid"]
    answer = http.get("/impatient?sleep=5")
    assert answer.status_code == 503
    assert answer.json() == {"error": "Impatient did not answer within its 1 s and was stopped"}
    assert not alive(pid)
    assert http.get("/impatient").json()["pid"] != pid


def test_crash_is_an_error_once(http: httpx.Client) -> None:
    answer = http.get("/answer/exit")
    assert answer.status_code == 500
    assert answer.json() == {
        "error": "Answer ended (exit status 3) before it answered; its log has the details"
    }
    assert http.get("/answer/pid").status_code == 200


def test_an_environment_that_died_while_idle_costs_no_request(http: httpx.Client) -> None:
    pid = http.get("/answer/pid").json()["pid"]
    os.kill(pid, 9)
    eventually(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z")
    assert http.get("/answer/pid").json()["pid"] != pid


def test_output_goes_to_the_log(http: httpx.Client, server: ServerProcess) -> None:
    assert http.get("/answer/print").text == "null"
    log = server.state / "logs" / "Answer.log"
    eventually(lambda: {"to stdout", "to stderr"} <= set(log.read_text().splitlines()))
