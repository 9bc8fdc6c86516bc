"""Do the published models answer as the original files do in plain onnxruntime, byte for byte?"""

import base64
import json

import onnxruntime

from coldpress_ops.local.environments import Environment

from . import events, packages
from .cold import START_SECONDS
from .world import MEMORY_MB, MEMORY_OF, World


def identical(world: World, package: packages.Package, name: str) -> bool:
    """Whether our function's binary answer has exactly the bytes of onnxruntime's."""
    model = world.models[name]
    session = onnxruntime.InferenceSession(str(model.path), providers=["CPUExecutionProvider"])
    expected = session.run(None, {model.input_name: model.input})
    return _answered(world, package, name) == b"".join(map(events.raw, expected))


def _answered(world: World, package: packages.Package, name: str) -> bytes:
    variables = world.variables | {
        "COLDPRESS_STORE": world.url,
        "COLDPRESS_ORT_LIBRARY": str(package.library),
        "PYTHONPATH": f"{package.python}:{packages.runtime()}",
    }
    event = events.ours(world, world.models[name], binary=True)
    with Environment.start(
        package.function,
        "app.handler",
        variables,
        python=(str(packages.interpreter()),),
        memory_mb=MEMORY_OF.get(name, MEMORY_MB),
    ) as environment:
        environment.ready(START_SECONDS)
        answer = json.loads(environment.invoke(event, START_SECONDS))
    if answer["statusCode"] != 200:
        raise RuntimeError(f"{name} was answered with {answer['body']:.500}")
    body = base64.b64decode(answer["body"])
    return body[int(answer["headers"]["inference-header-content-length"]) :]
