"""One request's figures: the line for CloudWatch and the `Server-Timing` header.

The rules are those of the embedded metric format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from typing import Any

import pytest

from coldpress import telemetry
from coldpress.telemetry import Trace


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.5


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(telemetry, "time", clock)
    monkeypatch.setattr(telemetry, "_cold", True)
    monkeypatch.setattr(telemetry, "_init_ms", None)
    monkeypatch.setattr(telemetry, "_lines", {})  # they hold the function's name
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    return clock


def line_of(trace: Trace, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    trace.emit()
    written = capsys.readouterr().out
    assert written.endswith("\n")
    assert written.count("\n") == 1
    assert written.isascii()
    line: dict[str, Any] = json.loads(written)
    return line


def traced(clock: Clock) -> Trace:
    trace = Trace()
    clock.now += 0.002
    at = trace.lap("resolve", 100.0)
    clock.now += 0.0005
    trace.lap("infer", at)
    return trace


def test_the_whole_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    trace = traced(clock)
    trace.fields |= {"request_id": "r-1", "model": "m", "version": 3, "status": 200}
    assert line_of(trace, capsys) == {
        "_aws": {
            "Timestamp": 1_700_000_000_500,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Coldpress",
                    "Dimensions": [["service"], ["service", "model"]],
                    "Metrics": [
                        {"Name": "Duration", "Unit": "Milliseconds"},
                        {"Name": "ColdStart", "Unit": "Count"},
                        {"Name": "ResolveTime", "Unit": "Milliseconds"},
                        {"Name": "InferTime", "Unit": "Milliseconds"},
                    ],
                }
            ],
        },
        "service": "coldpress-predict",
        "function_name": "local",
        "request_id": "r-1",
        "model": "m",
        "version": 3,
        "status": 200,
        "Duration": 2.5,
        "ColdStart": 1,
        "ResolveTime": 2.0,
        "InferTime": 0.5,
    }


@pytest.mark.parametrize(
    "fields",
    [{}, {"model": "m"}, {"error": 'say "no"\n{}\ud800ä'}, {"a": None, "b": [1.5, True], "c": False}],
)
def test_the_line_keeps_the_formats_rules(
    clock: Clock, capsys: pytest.CaptureFixture[str], fields: dict[str, Any]
) -> None:
    trace = traced(clock)
    trace.fields |= fields
    line = line_of(trace, capsys)
    assert {key: line[key] for key in fields} == fields
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    for dimensions in directive["Dimensions"]:
        assert len(dimensions) <= 30
        assert all(isinstance(line[key], str) and line[key] for key in dimensions)
    assert 0 < len(directive["Metrics"]) <= 100
    for metric in directive["Metrics"]:
        assert isinstance(line[metric["Name"]], int | float)
        assert metric["Unit"] in ("Milliseconds", "Count")


@pytest.mark.usefixtures("clock")
def test_only_the_first_request_of_an_environment_is_cold(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line_of(Trace(), capsys)["ColdStart"] for _ in range(3)] == [1, 0, 0]


def test_what_came_and_went_waited_and_was_made_ready(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry.initialised(clock.now - 0.25)
    trace = Trace()
    trace.metrics["BytesIn"], trace.metrics["BytesOut"] = 12, 345
    trace.queued(clock.time() * 1000 - 7.5)
    line = line_of(trace, capsys)
    assert {name: line[name] for name in ("InitTime", "BytesIn", "BytesOut", "QueueTime")} == {
        "InitTime": 250.0,
        "BytesIn": 12,
        "BytesOut": 345,
        "QueueTime": 7.5,
    }
    units = {metric["Name"]: metric["Unit"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert units == {
        "Duration": "Milliseconds",
        "ColdStart": "Count",
        "InitTime": "Milliseconds",
        "BytesIn": "Bytes",
        "BytesOut": "Bytes",
        "QueueTime": "Milliseconds",
    }
    assert "InitTime" not in line_of(Trace(), capsys)


@pytest.mark.parametrize("ago", [-1.0, telemetry.MAX_QUEUE_MS])
def test_a_gateway_with_another_clock_is_not_believed(clock: Clock, ago: float) -> None:
    trace = Trace()
    trace.queued(clock.time() * 1000 - ago)
    assert trace.metrics == {}


def test_any_number_of_names_takes_bounded_room(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(telemetry.MAX_FORMS + 10):
        trace = traced(clock)
        trace.fields[f"100 % {number}"] = "%d"
        assert line_of(trace, capsys)[f"100 % {number}"] == "%d"
    assert len(telemetry._lines) <= telemetry.MAX_FORMS


def test_a_stage_may_be_passed_twice(clock: Clock) -> None:
    trace = traced(clock)
    clock.now += 0.001
    trace.lap("infer", clock.now - 0.001)
    assert trace.stages == pytest.approx({"resolve": 2.0, "infer": 1.5})


def test_the_header(clock: Clock) -> None:
    assert Trace().server_timing() == "total;dur=0.00"
    clock.now = 100.0
    assert traced(clock).server_timing() == "resolve;dur=2.00, infer;dur=0.50, total;dur=2.50"


@pytest.mark.usefixtures("clock")
def test_the_function_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "coldpress-predict-prod")
    assert line_of(Trace(), capsys)["function_name"] == "coldpress-predict-prod"
