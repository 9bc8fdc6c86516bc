"""Takes longer than its timeout, when asked to."""

import os
import time


def handler(event, _context):
    time.sleep(float(event.get("queryStringParameters", {}).get("sleep", 0)))
    return {"pid": os.getpid()}
