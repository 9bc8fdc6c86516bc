"""Uploads -> events -> a function: at least once, with retries and dead letters.

The folder's state is the truth and notifications of changes only make it fast: every scan compares
the objects with the ledger, so an upload made while the server was down, or one that a change
notification missed, is delivered like any other.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from watchfiles import awatch

from coldpress.errors import ColdpressError
from coldpress_ops.local import events
from coldpress_ops.local.application import Trigger
from coldpress_ops.local.failures import FunctionFailed
from coldpress_ops.local.ledger import Entry, Ledger, write_json
from coldpress_ops.local.objects import find

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 1.0
"""A file that changed less than this ago may still be being copied."""
RECONCILE_SECONDS = 2.0
"""Change notifications miss files in brand-new nested folders; a scan this often finds them."""
# A scan of a huge folder takes at most this share of the time.
SCAN_SHARE = 0.05
STOP_SECONDS = 3.0


class Delivery:
    """Serves one trigger."""

    def __init__(
        self,
        trigger: Trigger,
        objects: Path,
        ledger: Ledger,
        dead_letters: Path,
        invoke: Callable[[bytes], Awaitable[bytes]],
        parallel: int,
    ) -> None:
        """`objects`: the store's folder; `invoke` runs the function; `parallel`: deliveries at a time."""
        self._trigger = trigger
        self._objects = objects
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._invoke = invoke
        self._parallel = parallel
        self._wake = asyncio.Event()
        self._complete: set[str] = set()
        self._active: dict[str, asyncio.Task[None]] = {}
        self._held_until = 0.0

    def notice(self, key: str) -> None:
        """An object was stored whole: deliver it without waiting for it to settle."""
        self._complete.add(key)
        self._wake.set()

    async def run(self) -> None:
        """Delivers until cancelled; then gives running deliveries a few seconds."""
        watched = self._objects / self._trigger.prefix.rpartition("/")[0]
        watched.mkdir(parents=True, exist_ok=True)
        watcher = asyncio.create_task(self._watch(watched))
        try:
            while True:
                self._wake.clear()
                try:
                    pause = min(await self._scan(), self._start_due())
                except OSError as error:
                    logger.warning("cannot keep the ledger of events, trying again: %s", error)
                    pause = RECONCILE_SECONDS
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), max(pause, 0.0))
        finally:
            watcher.cancel()
            running = set(self._active.values())
            if running:
                await asyncio.wait(running, timeout=STOP_SECONDS)
            for task in running:
                task.cancel()
            await asyncio.gather(watcher, *running, return_exceptions=True)

    async def _watch(self, folder: Path) -> None:
        try:
            async for _ in awatch(folder, watch_filter=None, debounce=100, step=50):
                self._wake.set()
        except OSError as error:
            logger.warning(
                "cannot watch %s for changes (%s); looking every %g s", folder, error, RECONCILE_SECONDS
            )

    async def _scan(self) -> float:
        """Enters new objects into the ledger; seconds until the next scan is due."""
        started = time.time()
        trigger = self._trigger
        found = await asyncio.to_thread(lambda: list(find(self._objects, trigger.prefix, trigger.suffix)))
        now = time.time()
        pause = max(RECONCILE_SECONDS, (now - started) / SCAN_SHARE)
        for item in found:
            entry = self._ledger.get(item.key)
            if entry is not None and entry.etag == item.etag:
                continue
            age = abs(now - item.modified / 1e9)
            if age < SETTLE_SECONDS and item.key not in self._complete:
                pause = min(pause, SETTLE_SECONDS - age)
                continue
            self._complete.discard(item.key)
            self._ledger.put(Entry(**asdict(item), message_id=str(uuid.uuid4()), sent=now))
        for key in {entry.key for entry in self._ledger if entry.state != "pending"} - {o.key for o in found}:
            self._ledger.forget(key)
        return pause

    def _start_due(self) -> float:
        """Starts what is due and fits; seconds until more is."""
        now = time.time()
        if now < self._held_until:
            return self._held_until - now
        pause = RECONCILE_SECONDS
        for entry in self._ledger:
            if entry.state != "pending" or entry.key in self._active:
                continue
            if entry.due > now:
                pause = min(pause, entry.due - now)
            elif len(self._active) < self._parallel:
                self._active[entry.key] = task = asyncio.create_task(self._deliver(entry), name=entry.key)
                task.add_done_callback(self._finished)
        return pause

    def _finished(self, task: "asyncio.Task[None]") -> None:
        key = task.get_name()
        del self._active[key]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The event stays pending; whatever it is (a full disk?), the next try waits.
            self._held_until = time.time() + RECONCILE_SECONDS
            trace = None if isinstance(error, OSError) else error
            logger.error("%s: its delivery broke off, trying again: %s", key, error, exc_info=trace)

    async def _deliver(self, entry: Entry) -> None:
        if entry.receives >= self._trigger.max_receives:
            self._failed(entry, "the server was stopped during its last delivery")
            return
        # Counted before it starts, as SQS does: an event that kills the whole server is not retried for ever.
        entry = replace(entry, receives=entry.receives + 1)
        self._ledger.put(entry)
        body = json.dumps(events.s3_event(self._trigger.bucket, entry.object, entry.message_id))
        event = events.sqs_event(self._trigger, entry.message_id, body, entry.receives, entry.sent)
        try:
            answer = await self._invoke(json.dumps(event).encode())
        except asyncio.CancelledError:
            # A server that is stopped in good order is not the event's failure.
            self._record(replace(entry, receives=entry.receives - 1))
            raise
        except FunctionFailed as error:
            self._failed(entry, error.detail)
        except ColdpressError as error:
            self._failed(entry, str(error))
        else:
            if self._trigger.reports_failures and events.reported_failure(answer):
                self._failed(entry, "the function reported it as failed; its log has the details")
            else:
                self._record(replace(entry, state="done"))

    def _failed(self, entry: Entry, reason: str) -> None:
        trigger = self._trigger
        if entry.receives < trigger.max_receives:
            delay = min(trigger.visibility_seconds, 2 ** (entry.receives - 1))
            self._record(replace(entry, due=time.time() + delay))
            logger.warning(
                "%s: delivery %d of %d to %s failed, next in %d s: %s",
                *(entry.key, entry.receives, trigger.max_receives, trigger.function, delay, reason),
            )
            return
        self._dead_letters.mkdir(exist_ok=True)
        letter = self._dead_letters / f"{entry.message_id}.json"
        write_json(
            letter,
            {
                "key": entry.key,
                "etag": entry.etag,
                "function": trigger.function,
                "deliveries": entry.receives,
                "reason": reason,
                "event": events.s3_event(trigger.bucket, entry.object, entry.message_id),
            },
        )
        self._record(replace(entry, state="dead"))
        logger.warning(
            "%s: given up after %d deliveries to %s: %s. The upload stays; to try again: touch %s",
            *(entry.key, entry.receives, trigger.function, reason, self._objects / entry.key),
        )

    def _record(self, entry: Entry) -> None:
        current = self._ledger.get(entry.key)
        # A newer object under the same key has an event of its own by now.
        if current is not None and current.message_id == entry.message_id:
            self._ledger.put(entry)
