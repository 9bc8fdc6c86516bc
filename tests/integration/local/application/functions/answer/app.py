"""Does what the path asks for."""

import base64
import os
import sys
import time
from pathlib import Path


def handler(event, context):
    what = event["pathParameters"]["what"]
    query = event.get("queryStringParameters", {})
    if what == "event":
        return {
            "event": event,
            "request": context.aws_request_id,
            "left": context.get_remaining_time_in_millis(),
        }
    if what == "environment":
        return {"environment": dict(os.environ), "folder": str(Path.cwd())}
    if what == "pid":
        time.sleep(float(query.get("sleep", 0)))
        return {"pid": os.getpid()}
    if what == "binary":
        body = base64.b64decode(event["body"])
        return {
            "statusCode": 200,
            "headers": {"content-type": "application/octet-stream"},
            "body": base64.b64encode(body[::-1]).decode(),
            "isBase64Encoded": True,
        }
    if what == "length":
        return {"length": len(event.get("body", ""))}
    if what == "status":
        return {
            "statusCode": int(query["status"]),
            "headers": {"x-answer": "yes"},
            "cookies": ["a=1", "b=2"],
            "body": "text",
        }
    if what == "long":
        return "x" * int(query["length"])
    if what == "malformed":
        return {"statusCode": "never"}
    if what == "print":
        print("to stdout")
        print("to stderr", file=sys.stderr)
        return None
    if what == "raise":
        raise RuntimeError("not for callers")
    if what == "exit":
        os._exit(3)
    raise LookupError(what)
