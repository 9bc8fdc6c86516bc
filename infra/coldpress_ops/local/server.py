"""`coldpress up`: the parts, wired together and run until told to stop."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from coldpress.access import create_key
from coldpress.settings import COMMAND_LINE, PREFIX, Settings, from_environment
from coldpress.store import Store
from coldpress_ops.local.application import Application, Function
from coldpress_ops.local.delivery import Delivery
from coldpress_ops.local.environments import Environment
from coldpress_ops.local.ledger import Ledger
from coldpress_ops.local.listening import HttpServer, bound, url_of
from coldpress_ops.local.logs import FunctionLog
from coldpress_ops.local.pool import Pool
from coldpress_ops.local.routes import Router
from coldpress_ops.local.state import State, opened
from coldpress_ops.local.template import load
from coldpress_ops.local.uploads import Uploads
from coldpress_ops.local.watchdog import Watchdog
from coldpress_ops.local.web import Web

REAP_SECONDS = 30.0


def serve(template: Path, state_folder: Path, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serves a template until SIGTERM or SIGINT.

    Args:
        port: 0 picks a free one.
        say: prints a line: the first API key, when there is none yet, and `ready http://…`.

    Raises:
        TemplateError, StateUnusable, AddressUnusable, SettingsError: it cannot start; the message says why.
    """
    settings = from_environment()
    application = load(template)
    with opened(state_folder) as state, bound(host, port) as listener:
        url = url_of(listener)
        _first_key(state, url, say)
        asyncio.run(_run(application, state, settings, listener, partial(say, f"ready {url}")))


def _first_key(state: State, url: str, say: Callable[[str], None]) -> None:
    """Makes an admin key when there is no key yet."""
    store = Store(state.store_url)
    if next(store.walk("keys"), None) is None:
        key, _ = create_key(store, ("admin",))
        state.keep_key(key)
        say(f"API key (admin), also in {state.key_file}: {key}")
        say(f"  curl -H 'x-api-key: {key}' {url}/models")


async def _run(
    application: Application,
    state: State,
    settings: Settings,
    listener: socket.socket,
    ready: Callable[[], None],
) -> None:
    # More environments than cores only take turns; two, so that one slow request blocks no other.
    limit = max(2, os.cpu_count() or 1)
    with ExitStack() as stack:
        watchdog = stack.enter_context(Watchdog())
        pools: dict[str, Pool] = {}
        for function in application.functions.values():
            log = FunctionLog(state.logs / f"{function.name}.log")
            stack.callback(log.close)
            start = partial(_start, function, _variables(function, state), log.output, watchdog.group)
            pools[function.name] = Pool(function.name, start, function.timeout, limit)
        # Entered last, so left first: a log ends when the last process that writes into it does.
        for pool in pools.values():
            stack.callback(pool.close)
        deliveries = [
            Delivery(
                trigger,
                state.objects,
                Ledger(state.events / trigger.queue_name),
                state.dead_letters / trigger.queue_name,
                partial(pools[trigger.function].invoke, patient=True),
                limit,
            )
            for trigger in application.triggers
        ]

        def stored(key: str) -> None:
            for delivery in deliveries:
                delivery.notice(key)

        web = Web(Router(application.routes), pools, Uploads(state, settings.max_model_bytes, stored))
        # A group: a server that could no longer deliver events must end, not look healthy.
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(delivery.run()) for delivery in deliveries]
            background.append(group.create_task(_reap(pools)))
            await HttpServer(web, ready).serve(sockets=[listener])
            for task in background:
                task.cancel()


async def _reap(pools: Mapping[str, Pool]) -> None:
    while True:
        await asyncio.sleep(REAP_SECONDS)
        for pool in pools.values():
            pool.reap()


def _start(function: Function, variables: Mapping[str, str], output: int, group: int) -> Environment:
    return Environment.start(
        function.folder,
        function.handler,
        variables,
        name=function.name,
        memory_mb=function.memory_mb,
        output=output,
        group=group,
    )


def _variables(function: Function, state: State) -> dict[str, str]:
    """The template's variables, then this shell's settings, then what the local server decides."""
    shell = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and name not in COMMAND_LINE
    }
    local = {
        "COLDPRESS_STORE": state.store_url,
        "COLDPRESS_UPLOAD_SECRET": state.secret,
        # Here no environment is frozen after its answer, so a shadow costs nothing where there is none.
        "COLDPRESS_SHADOW": "on",
    }
    return {**function.environment, **shell, **local}
