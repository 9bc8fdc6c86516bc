"""What the document cannot say, for schemathesis."""

import schemathesis


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """The header that marks a binary body is for binary bodies: OpenAPI cannot bind one to a media type."""
    marked = any(name.lower() == "inference-header-content-length" for name in case.headers or {})
    return not marked or case.media_type == "application/octet-stream"
