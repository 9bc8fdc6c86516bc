"""A function that does nothing: what the platform's own start costs."""


def handler(_event, _context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}
