"""What serves the end-to-end suite is an option, so that each of its tests is written once."""

import os

import pytest

TARGETS = ("local", "standin", "sam")


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

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]
