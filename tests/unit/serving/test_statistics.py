"""Counts and times, in Triton's form."""

from typing import Any

from coldpress.registry import Manifest
from coldpress.statistics import MAX_BATCH_SIZES, Statistics
from coldpress.tensors import Tensor

STAGES = {"decode": 0.5, "infer": 2.0, "encode": 0.25, "fetch": 99.0}
MANIFEST = Manifest("m", 1, "", (), (), (), "")


def rows(count: int) -> list[Tensor]:
    return [Tensor("x", "UINT8", (count,), bytes(count))]


def durations(**cells: tuple[int, int]) -> dict[str, Any]:
    return {name: {"count": count, "ns": ns} for name, (count, ns) in cells.items()}


def test_nothing_yet() -> None:
    zero = (0, 0)
    assert Statistics().report() == []
    assert Statistics().empty(MANIFEST) == [
        {
            "name": "m",
            "version": "1",
            "last_inference": 0,
            "inference_count": 0,
            "execution_count": 0,
            "inference_stats": durations(
                success=zero,
                fail=zero,
                queue=zero,
                compute_input=zero,
                compute_infer=zero,
                compute_output=zero,
            ),
            "batch_stats": [],
        }
    ]


def test_successes_and_failures() -> None:
    statistics = Statistics()
    statistics.succeeded("m", 1, rows(2), STAGES)
    statistics.succeeded("m", 1, rows(2), STAGES)
    statistics.succeeded("m", 1, [Tensor("x", "UINT8", (), b"\0")], STAGES)
    statistics.failed("m", 1, 7)
    (row,) = statistics.report()
    assert row.pop("last_inference") > 1_700_000_000_000
    assert row == {
        "name": "m",
        "version": "1",
        "inference_count": 5,
        "execution_count": 3,
        "inference_stats": durations(
            success=(3, 8_250_000),
            fail=(1, 7),
            queue=(3, 0),
            compute_input=(3, 1_500_000),
            compute_infer=(3, 6_000_000),
            compute_output=(3, 750_000),
        ),
        "batch_stats": [
            {"batch_size": size}
            | durations(
                compute_input=(n, n * 500_000),
                compute_infer=(n, n * 2_000_000),
                compute_output=(n, n * 250_000),
            )
            for size, n in ((1, 1), (2, 2))
        ],
    }


def test_by_model_and_version() -> None:
    statistics = Statistics()
    for model, version in (("b", 1), ("a", 2), ("a", 10)):
        statistics.failed(model, version, 1)

    def found(*of: Any) -> list[tuple[str, str]]:
        return [(row["name"], row["version"]) for row in statistics.report(*of)]

    assert found() == [("a", "2"), ("a", "10"), ("b", "1")]
    assert found("a") == [("a", "2"), ("a", "10")]
    assert found("a", 10) == [("a", "10")]
    assert found("c") == []


def test_any_number_of_sizes_takes_bounded_room() -> None:
    statistics = Statistics()
    for size in range(MAX_BATCH_SIZES + 10):
        statistics.succeeded("m", 1, rows(size), STAGES)
    statistics.succeeded("m", 1, rows(0), STAGES)
    (row,) = statistics.report()
    assert row["execution_count"] == MAX_BATCH_SIZES + 11
    assert [batch["batch_size"] for batch in row["batch_stats"]] == list(range(MAX_BATCH_SIZES))
    assert row["batch_stats"][0]["compute_infer"]["count"] == 2
