"""One suite, whatever serves it: a test sees a URL, a key, the command line and what is stored."""

from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest

from .targets import local, standin
from .targets.deployment import Deployment


@pytest.fixture(scope="session")
def stood_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[standin.StandIn]:
    """The AWS stand-in, for tests that deploy stacks of their own."""
    with standin.running(tmp_path_factory.mktemp("standin")) as made:
        yield made


@pytest.fixture(scope="session")
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    match request.config.getoption("target"):
        case "standin":
            with request.getfixturevalue("stood_in").deployed("suite") as (made, _):
                yield made
        case _:
            with local.running(tmp_path_factory.mktemp("deployment")) as made:
                yield made


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[onnx.ModelProto | bytes], Path]:
    """Writes a model, or bytes that claim to be one, to a file."""

    def save(model: onnx.ModelProto | bytes, name: str = "model.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return save
