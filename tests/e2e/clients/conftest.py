"""Models that every client's tests ask."""

from dataclasses import dataclass

import onnx
import pytest

from ..targets.deployment import Deployment
from . import models


@dataclass(frozen=True)
class Served:
    """A deployment that serves `mirror` and `scores`."""

    url: str
    """Without the scheme, as tritonclient takes it."""
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """A new dictionary each time: tritonclient writes its own headers into the one it is given."""
        return {"x-api-key": self.key}


@pytest.fixture(scope="session")
def served(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("models")
    for name, model in {"mirror": models.mirror(), "scores": models.scores()}.items():
        onnx.save(model, str(folder / f"{name}.onnx"))
        published = deployment.publish(name, folder / f"{name}.onnx")
        assert published.returncode == 0, published.stderr
    return Served(deployment.url.removeprefix("http://"), deployment.key)
