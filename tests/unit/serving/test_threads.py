"""Threads from memory."""

import pytest

from coldpress.threads import threads_for


@pytest.mark.parametrize(
    ("memory_mb", "threads"),
    [
        (0, 1), (128, 1), (1769, 1), (1770, 2), (3008, 2), (3009, 3), (5307, 3), (5308, 4),
        (7076, 4), (7077, 5), (8845, 5), (8846, 6), (10240, 6),
    ],
)  # fmt: skip
def test_threads_follow_lambdas_vcpus(memory_mb: int, threads: int) -> None:
    assert threads_for(memory_mb) == threads
