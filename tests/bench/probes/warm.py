"""Run inside a function's own environment: how long its handler takes, and the bare run of the model within.

`python warm.py ours|naive EVENT RESULT CALLS`. Calls of both take turns; medians, in milliseconds.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import app


class Context:
    def get_remaining_time_in_millis(self):
        return 29000


def bare_run_of_ours(event):
    """ONNX Runtime's C function alone, with everything it needs made before."""
    from ctypes import c_char_p, c_void_p

    from coldpress import gateway, routes
    from coldpress.ort.specs import match
    from coldpress.ort.values import Inputs
    from coldpress.protocols.oip import decode

    plane = app.plane
    request = gateway.read(event, "", plane.settings.max_body_bytes)
    route = routes.match(request.method, request.path)
    manifest = plane.resolver.manifest(route.model, route.alias, 0, "")
    (model,) = plane.models._open.values()
    session, values = model.session, Inputs(model.session._library)
    tensors = decode(request, route, manifest, plane.settings).tensors
    pointers = [values.add(tensor) for tensor in match(session.inputs, tensors)]
    api, native, wanted = session._library.api, session._native.pointer, len(session._out_names)
    names = (c_char_p * len(pointers))(*session._in_names)
    inputs = (c_void_p * len(pointers))(*pointers)
    outputs, found = (c_char_p * wanted)(*session._out_names), (c_void_p * wanted)()

    def run():
        api.Run(native, None, names, inputs, len(pointers), outputs, wanted, found)
        for index in range(wanted):
            api.ReleaseValue(found[index])
            found[index] = None

    return values, run


def bare_run_of_a_peer(event):
    import base64

    import numpy as np

    if event["isBase64Encoded"]:
        shape = [int(size) for size in event["headers"]["x-shape"].split(",")]
        array = np.frombuffer(base64.b64decode(event["body"]), app.dtype).reshape(shape)
    else:
        array = np.array(json.loads(event["body"])["instances"], dtype=app.dtype)
    feed = {app.declared.name: array}
    return feed, lambda: app.session.run(None, feed)


def main(kind, event_path, result_path, calls):
    event = json.loads(Path(event_path).read_text())
    context = Context()
    for _ in range(3):
        answer = app.handler(event, context)
        assert answer["statusCode"] == 200, answer
    kept, run = (bare_run_of_ours if kind == "ours" else bare_run_of_a_peer)(event)
    assert kept is not None
    handler_ms, bare_ms = [], []
    for _ in range(int(calls)):
        at = time.perf_counter()
        app.handler(event, context)
        between = time.perf_counter()
        run()
        after = time.perf_counter()
        handler_ms.append((between - at) * 1000)
        bare_ms.append((after - between) * 1000)
    medians = {"handler": statistics.median(handler_ms), "bare": statistics.median(bare_ms)}
    Path(result_path).write_text(json.dumps(medians))


main(*sys.argv[1:])
