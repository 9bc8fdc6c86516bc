"""Writes down each delivery; the object's name says how it ends."""

import json
import os
import time
from pathlib import Path
from urllib.parse import unquote_plus

STORE = Path(os.environ["COLDPRESS_STORE"].removeprefix("file://"))


def handler(event, _context):
    [message] = event["Records"]
    [record] = json.loads(message["body"])["Records"]
    key = unquote_plus(record["s3"]["object"]["key"])
    line = {
        "key": key,
        "receives": int(message["attributes"]["ApproximateReceiveCount"]),
        "message": message["messageId"],
        "etag": record["s3"]["object"]["eTag"],
        "size": (STORE / key).stat().st_size,
        "bucket": record["s3"]["bucket"]["name"],
        "source": message["eventSourceARN"],
    }
    with (STORE / "deliveries").open("a") as file:
        file.write(json.dumps(line) + "\n")
    if "slow" in key:
        time.sleep(30)
    if "raise" in key:
        raise ValueError("cannot take this")
    if "once" in key and line["receives"] == 1:
        os._exit(1)
    if "report" in key:
        return {"batchItemFailures": [{"itemIdentifier": message["messageId"]}]}
    return {"batchItemFailures": []}
