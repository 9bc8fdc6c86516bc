"""Reasons to refuse a model, found before ONNX Runtime sees it. One row of `CHECKS` each.

Each check answers a reason that names the value, the limit and the fix, or None.
"""

from collections.abc import Callable

from coldpress.ingest.graph import Scan
from coldpress.ingest.refusal import Refused
from coldpress.settings import Settings

RUNTIME = "ONNX Runtime 1.31.1"
MAX_IR_VERSION = 13
# Asked of ONNX Runtime 1.31.1 itself; the tests ask the installed one again.
MAX_OPSETS = {"": 26, "ai.onnx.ml": 5, "com.microsoft": 1}
"""Operators of other domains have no implementation on a CPU."""

MIN_IR_WITH_OPSETS = 3
CONVERT = "export the model again with opset_version={0}, or convert it with onnx.version_converter"


def check_size(size: int, settings: Settings) -> None:
    """Raises `Refused` unless a file of `size` bytes may be a model."""
    if size == 0:
        raise Refused("the file is empty (0 bytes); upload it again")
    if size > settings.max_model_bytes:
        raise Refused(
            f"the file has {size} bytes and the limit is {settings.max_model_bytes} "
            "(COLDPRESS_MAX_MODEL_BYTES); quantize or prune the model, or raise the limit"
        )


def check_graph(scan: Scan) -> None:
    """Raises `Refused` with the first reason that a row of `CHECKS` finds."""
    for check in CHECKS:
        reason = check(scan)
        if reason is not None:
            raise Refused(reason)


def _ir_version(scan: Scan) -> str | None:
    if scan.ir_version <= MAX_IR_VERSION:
        return None
    return (
        f"IR version {scan.ir_version} is newer than {RUNTIME} reads (at most {MAX_IR_VERSION}); "
        f"set model.ir_version = {MAX_IR_VERSION} and save it again, or export with an older onnx package"
    )


def _opsets(scan: Scan) -> str | None:
    if not scan.opsets and scan.ir_version >= MIN_IR_WITH_OPSETS:
        return "truncated: the file ends before its operator sets (opset_import); upload it again"
    for domain, version in sorted(scan.opsets.items()):
        limit = MAX_OPSETS.get(_plain(domain))
        if limit is not None and version > limit:
            return (
                f"operator set {version} of {_shown(domain)} is newer than {RUNTIME} has (at most {limit}); "
                + CONVERT.format(limit)
            )
    return None


def _operators(scan: Scan) -> str | None:
    for domain, operator in sorted(scan.operators):
        if (domain, operator) in scan.functions or _plain(domain) in MAX_OPSETS:
            continue
        if domain == "com.microsoft.nchwc":
            return (
                f"operator {operator!r} is of com.microsoft.nchwc: the file was optimised for one "
                "kind of CPU; upload the model as it was exported, it is optimised here"
            )
        return (
            f"operator {operator!r} of the domain {domain!r} needs a custom-operator library, and none is "
            f"loaded; use operators of {', '.join(map(_shown, MAX_OPSETS))}, or bring it along as a "
            "model-local function"
        )
    return None


def _external(scan: Scan) -> str | None:
    for location in scan.external:
        parts = location.replace("\\", "/").split("/")
        if location.startswith(("/", "\\")) or location[1:2] == ":":
            why = "an absolute path; such paths are never followed"
        elif ".." in parts:
            why = "a path that leaves the model's folder; such paths are never followed"
        else:
            why = "a file beside it, and an upload is one file"
        return (
            f"the model keeps tensors outside of the file, at {location!r:.200}: {why}. Save it as one file: "
            "onnx.save(onnx.load(path), path, save_as_external_data=False)"
        )
    return None


CHECKS: tuple[Callable[[Scan], str | None], ...] = (_ir_version, _opsets, _operators, _external)


def _plain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _shown(domain: str) -> str:
    return domain or "ai.onnx"
