"""What serves the end-to-end suite is an option, so that each of its tests is written once.

The targets are imported when they are asked for: most tests do without.
"""

import asyncio
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .e2e.targets.deployment import Deployment
    from .e2e.targets.sam import Sam
    from .e2e.targets.standin import StandIn

TARGETS = ("local", "standin", "sam")

# One event loop for all tests of a process, made before any is collected and closed at the end. Mangum makes
# one wherever it finds none, `asyncio.run` takes the current one away, and a loop that nobody closes is a
# ResourceWarning in whichever test comes next.
LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(LOOP)


def pytest_unconfigure() -> None:
    LOOP.close()


@pytest.fixture(autouse=True, scope="module")
def _loop_of_the_module() -> None:
    asyncio.set_event_loop(LOOP)


@pytest.fixture(autouse=True)
def _loop_of_the_test() -> None:
    asyncio.set_event_loop(LOOP)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--target",
        choices=TARGETS,
        default=os.environ.get("COLDPRESS_TEST_TARGET", "local"),
        help="what serves the end-to-end suite: `coldpress up` (local), the template on an AWS stand-in "
        "(standin), or `sam local` in containers (sam). Variable: COLDPRESS_TEST_TARGET.",
    )


def pytest_configure(config: pytest.Config) -> None:
    target = config.getoption("target")
    if target not in TARGETS:
        raise pytest.UsageError(f"COLDPRESS_TEST_TARGET={target} is none of {', '.join(TARGETS)}")
    config.addinivalue_line("markers", "target(name): runs on this target of the end-to-end suite only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On another target than `local` only what a deployment can make a difference to."""
    target = config.getoption("target")

    def wanted(item: pytest.Item) -> bool:
        if marker := item.get_closest_marker("target"):
            return marker.args[0] == target
        return target == "local" or "deployment" in getattr(item, "fixturenames", ())

    from .e2e.targets.differences import LACKS

    for item in items:
        if reason := LACKS.get(target, {}).get(getattr(item, "originalname", "")):
            item.add_marker(pytest.mark.skip(reason=reason))
    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]


@pytest.fixture(scope="session")
def stood_in(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[StandIn]":
    """The AWS stand-in, for tests that deploy stacks of their own."""
    from .e2e.targets import standin

    with standin.running(tmp_path_factory.mktemp("standin")) as made:
        yield made


@pytest.fixture(scope="session")
def sam_built(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Sam]":
    """What `sam build` made, with an engine to run it."""
    from .e2e.targets import sam

    with sam.built(tmp_path_factory.mktemp("sam")) as made:
        yield made


@pytest.fixture(scope="session")
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Deployment]":
    """The option `--target`'s: what the end-to-end suite talks to."""
    match request.config.getoption("target"):
        case "standin":
            with request.getfixturevalue("stood_in").deployed("suite") as (made, _):
                yield made
        case "sam":
            from .e2e.targets import sam

            with sam.running(request.getfixturevalue("sam_built")) as made:
                yield made
        case _:
            from .e2e.targets import local

            with local.running(tmp_path_factory.mktemp("deployment")) as made:
                yield made
