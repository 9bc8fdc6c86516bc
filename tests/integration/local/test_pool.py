"""A function's environments: bounded, reused, reaped."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from coldpress.errors import Unavailable
from coldpress_ops.local.environments import Environment
from coldpress_ops.local.pool import Pool

CODE = "import os, time\ndef handler(e, c):\n    time.sleep(e)\n    return os.getpid()\n"


@pytest.fixture
def pool_of(tmp_path: Path) -> Any:
    (tmp_path / "app.py").write_text(CODE)

    def pool(**options: Any) -> Pool:
        return Pool("Sleeper", lambda: Environment.start(tmp_path, "app.handler", {}), 10, **options)

    return pool


async def run(pool: Pool, seconds: float, **options: Any) -> int:
    pid: int = json.loads(await pool.invoke(json.dumps(seconds).encode(), **options))
    return pid


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_at_most_so_many_run_and_wait(pool_of: Any) -> None:
    async def scenario() -> None:
        pool = pool_of(limit=1, waiting=1)
        running = asyncio.create_task(run(pool, 0.3))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(run(pool, 0))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="Sleeper is busy: 1 requests run and 1 wait"):
            await run(pool, 0)
        patient = asyncio.create_task(run(pool, 0, patient=True))
        assert len({await running, await waiting, await patient}) == 1
        pool.close()

    asyncio.run(scenario())


def test_idle_environments_are_reaped(pool_of: Any) -> None:
    async def scenario() -> None:
        pool = pool_of(limit=2, idle_seconds=0)
        pids = await asyncio.gather(run(pool, 0.2), run(pool, 0.2))
        assert len(set(pids)) == 2
        assert all(map(alive, pids))
        pool.reap()
        assert not any(map(alive, pids))
        assert await run(pool, 0) not in pids
        pool.close()

    asyncio.run(scenario())


def test_a_cancelled_request_keeps_its_environment_busy(pool_of: Any) -> None:
    async def scenario() -> None:
        pool = pool_of(limit=1)
        pid = await run(pool, 0)
        cancelled = asyncio.create_task(run(pool, 0.5))
        await asyncio.sleep(0.1)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert await run(pool, 0) == pid
        pool.close()

    asyncio.run(scenario())


def test_close_ends_running_requests(pool_of: Any) -> None:
    async def scenario() -> None:
        pool = pool_of(limit=1)
        pid = await run(pool, 0)
        running = asyncio.create_task(run(pool, 9))
        await asyncio.sleep(0.1)
        pool.close()
        with pytest.raises(Exception, match="before it answered"):
            await running
        with pytest.raises(Unavailable, match="the server is stopping"):
            await run(pool, 0)
        assert not alive(pid)

    asyncio.run(scenario())
