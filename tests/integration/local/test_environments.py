"""One execution environment on its own, under the real runtime interface client."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coldpress_ops.local.environments import Environment
from coldpress_ops.local.failures import Crashed, FunctionFailed, InitFailed, TimedOut

Start = Callable[..., Environment]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def start(code: str, **options: object) -> Environment:
        (tmp_path / "app.py").write_text(code)
        return Environment.start(tmp_path, "app.handler", {}, **options)  # type: ignore[arg-type]

    return start


ECHO = "def handler(event, context):\n    return event\n"


def test_invocations(start: Start) -> None:
    with start(ECHO) as environment:
        assert 0 < environment.ready(10) < 10
        assert environment.ready() == environment.ready()
        for event in (b'{"a": 1}', b'"\\u00fc"', b"null"):
            assert environment.invoke(event, 5) == event
        large = b'"' + b"x" * 6_000_000 + b'"'
        assert environment.invoke(large, 10) == large
        assert environment.alive
    assert not environment.alive


def test_a_handler_that_raises_can_be_used_again(start: Start) -> None:
    code = "def handler(event, context):\n    if event: raise KeyError('ü' * 100_000)\n    return 1\n"
    with start(code, name="Raises") as environment:
        for _ in range(2):
            with pytest.raises(FunctionFailed, match=r"^Raises failed; its log has the details$") as caught:
                environment.invoke(b"1", 5)
            assert caught.value.detail == f"KeyError: '{'ü' * 100_000}'"
        assert environment.invoke(b"0", 5) == b"1"


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (
            "import nowhere",
            "Runtime.ImportModuleError: Unable to import module 'app': No module named 'nowhere'",
        ),
        (
            "handler = 1 +",
            "Runtime.UserCodeSyntaxError: Syntax error in module 'app': invalid syntax (app.py, line 1)",
        ),
        ("other = 1", "Runtime.HandlerNotFound: Handler 'handler' missing on module 'app'"),
        ("raise ValueError('at import')", "ValueError: at import"),
    ],
)
def test_a_module_that_cannot_be_loaded(start: Start, code: str, detail: str) -> None:
    with start(code) as environment:
        with pytest.raises(InitFailed) as caught:
            environment.ready(10)
        assert caught.value.detail == detail
        assert not environment.alive


def test_crash_while_loading(start: Start) -> None:
    with start("import os; os._exit(7)") as environment, pytest.raises(Crashed) as caught:
        environment.ready(10)
    assert not caught.value.delivered
    assert "exit status 7" in str(caught.value)


def test_crash_with_the_event(start: Start) -> None:
    code = "import os, signal\ndef handler(e, c): os.kill(os.getpid(), signal.SIGSEGV)"
    with start(code) as environment, pytest.raises(Crashed) as caught:
        environment.invoke(b"1", 10)
    assert caught.value.delivered
    assert "exit status -11" in str(caught.value)


def test_death_while_idle_is_no_lost_event(start: Start) -> None:
    with start(ECHO) as environment:
        environment.invoke(b"1", 10)
        # Its request for more work is on the wire by now, or will never be.
        time.sleep(0.2)
        os.kill(environment.pid, signal.SIGKILL)
        while environment.alive:
            time.sleep(0.01)
        with pytest.raises(Crashed) as caught:
            environment.invoke(b"2", 10)
    assert not caught.value.delivered


def test_timeouts(start: Start) -> None:
    with start("import time\ndef handler(e, c): time.sleep(60)") as environment:
        with pytest.raises(TimedOut, match=r"^function did not answer within its 0\.3 s and was stopped$"):
            environment.invoke(b"1", 0.3)
        assert not environment.alive
    with start("import time\ntime.sleep(60)") as environment:
        with pytest.raises(TimedOut, match=r"^function did not start within 0\.3 s and was stopped$"):
            environment.invoke(b"1", 5, init_timeout=0.3)
        assert not environment.alive


def test_the_event_loop_of_another_thread_can_end_it(start: Start) -> None:
    with start("import time\ndef handler(e, c): time.sleep(60)") as environment:
        environment.ready(10)
        timer = threading.Timer(0.2, environment.kill)
        timer.start()
        with pytest.raises(Crashed):
            environment.invoke(b"1", 30)
        timer.join()


def test_nothing_is_left_open(start: Start) -> None:
    def descriptors() -> set[str]:
        return set(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = descriptors()
    for code in (ECHO, "import nowhere", "import os; os._exit(1)"):
        with start(code) as environment:
            try:
                environment.invoke(b"1", 10)
            except (InitFailed, Crashed):
                continue
    assert descriptors() == before


def test_output_and_what_lambda_sets(start: Start) -> None:
    read_end, write_end = os.pipe()
    code = (
        "import os\n"
        "def handler(e, c):\n"
        "    print(c.function_name, c.memory_limit_in_mb, c.invoked_function_arn, c.log_group_name)\n"
        "    print(os.environ['_HANDLER'], os.environ['AWS_REGION'], os.environ['TZ'])\n"
    )
    with start(code, name="Named", memory_mb=256, output=write_end) as environment:
        environment.invoke(b"1", 5)
    os.close(write_end)
    with os.fdopen(read_end) as file:
        assert file.read().splitlines() == [
            "Named 256 arn:aws:lambda:us-east-1:123456789012:function:Named /aws/lambda/Named",
            "app.handler us-east-1 :UTC",
        ]
