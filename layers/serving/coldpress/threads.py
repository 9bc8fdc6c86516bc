"""How many threads one inference gets, from the function's memory.

Lambda shows 2 vCPUs up to 3008 MB, 3 from 3009, 4 from 5308, 5 from 7077, 6 from 8846, and gives
one full vCPU's time per 1769 MB: more threads than full vCPUs only wait for each other.
"""

_FROM_MEMORY = ((8846, 6), (7077, 5), (5308, 4), (3009, 3), (1770, 2))


def threads_for(memory_mb: int) -> int:
    """Threads for a function of `memory_mb`; at least 1, never ONNX Runtime's 0 (= all cores it sees)."""
    for least, threads in _FROM_MEMORY:
        if memory_mb >= least:
            return threads
    return 1
