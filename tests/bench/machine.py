"""The machine that the figures are of."""

import os
import platform
from pathlib import Path
from typing import Any

DROP_CACHES = Path("/proc/sys/vm/drop_caches")


def described(python: str) -> dict[str, Any]:
    """What a reader needs to judge the figures by. `python`: the functions' version."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": ", ".join(sorted(names)),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "kernel": platform.release(),
        "python": python,
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def can_drop_caches() -> bool:
    """Whether the page cache may be dropped here: for root, and not in most containers."""
    return os.access(DROP_CACHES, os.W_OK)


def drop_caches() -> None:
    """Empties the page cache, so that the next process reads its files from disk."""
    os.sync()
    DROP_CACHES.write_text("3")
