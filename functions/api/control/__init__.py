"""The control plane behind `app.py`: one concept a file.

Endpoints and dependencies are `async def` with plain blocking bodies. A function instance gets one
request at a time, so there is nothing else to let run meanwhile, and each plain `def` would hop to a
new thread and back: measured 0.48 ms for a request with two dependencies, 0.09 ms without hops.
"""
