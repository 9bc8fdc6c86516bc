"""What a deployment can set: one immutable record, read once from `COLDPRESS_*` variables.

Records on the cold path are `NamedTuple`s: as immutable as a frozen dataclass, without the
import of `dataclasses` (which brings `inspect`, `ast` and `dis` along).
"""

import os
from collections.abc import Mapping
from math import inf

from coldpress.errors import ColdpressError
from coldpress.typed import NamedTuple

PREFIX = "COLDPRESS_"

# Read by the command line, which may share an environment with a function.
COMMAND_LINE = frozenset({"COLDPRESS_URL", "COLDPRESS_API_KEY", "COLDPRESS_STATE", "COLDPRESS_CACHE"})

MIB = 1 << 20


class SettingsError(ColdpressError):
    """A setting is unknown, missing or has a value that cannot be used."""


class Settings(NamedTuple):
    """One field per variable: `max_body_bytes` is `COLDPRESS_MAX_BODY_BYTES`."""

    store: str = ""
    """Where everything is kept, as a URL: `s3://bucket`, `file:///folder`."""
    auth: str = "keys"
    """Who checks callers: `keys` is this process, by API key; `gateway` is the gateway's authorizer."""
    base_path: str = ""
    """A path in front of every route, such as a stage name: `/prod`."""
    ort_library: str = ""
    """ONNX Runtime's shared library; empty: looked for in the layer, then in the installed wheel."""
    memory_mb: int = 0
    """Memory this process may use; 0: what Lambda says."""
    threads: int = 0
    """Threads of one inference; 0: as many as the memory's share of vCPUs gives."""
    model_cache_bytes: int = 0
    """Loaded models are evicted, least recently used first, above this; 0: 60 % of the memory."""
    disk_cache_bytes: int = 0
    """Large models kept in /tmp, least recently used first to go, above this; 0: what the disk has."""
    preload: str = ""
    """Models to open before the first request, by commas: `sentiment,digits@canary`."""
    shadow: str = "off"
    """`on`: versions that an alias names as its shadow run after each of its answers, to be compared."""
    alias_seconds: float = 5.0
    """How long a resolved alias is used before it is read again."""
    key_seconds: float = 60.0
    """How long a checked API key is trusted before it is read again: a revoked key lives this long."""
    max_body_bytes: int = 10 * MIB
    """Largest request body, in bytes after any decoding (API Gateway's HTTP API takes 10 MB)."""
    max_json_depth: int = 100
    """Deepest nesting of a JSON request."""
    max_elements: int = 16 * MIB
    """Most elements of one tensor."""
    max_string_bytes: int = 10 * MIB
    """Longest element of a BYTES tensor, in bytes."""
    max_inputs: int = 256
    """Most input tensors of one request."""
    max_rows: int = 4096
    """Most rows of one request: of a body, or of a tensor whose first dimension varies."""
    max_model_bytes: int = 2048 * MIB
    """Largest model that ingest takes, in bytes."""
    upload_seconds: int = 900
    """How long a signed upload URL works."""
    upload_secret: str = ""
    """Signs upload URLs of a `file://` store; the local server makes it. S3 needs none."""
    training: str = ""
    """The training stack's job queue and definitions, such as `coldpress-dev`; empty: there is none."""


CHOICES = {"auth": ("keys", "gateway"), "shadow": ("off", "on")}
KINDS = {int: "a whole number from 0", float: "a number from 0", str: "text"}


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `COLDPRESS_*`.

    Raises:
        SettingsError: an unknown variable with our prefix, or a value of the wrong type.
    """
    types = Settings.__annotations__
    values: dict[str, object] = {}
    for key, text in environment.items():
        if not key.startswith(PREFIX) or key in COMMAND_LINE:
            continue
        name = key[len(PREFIX) :].lower()
        if name not in types:
            known = ", ".join(PREFIX + field.upper() for field in Settings._fields)
            raise SettingsError(f"{key} is no setting; the settings are {known}")
        try:
            value = types[name](text)
            # Written so that NaN fails too: a limit that compares false would never be enforced.
            usable = types[name] is str or 0 <= value < inf
        except ValueError:
            usable = False
        if not usable:
            default = Settings._field_defaults[name]
            raise SettingsError(f"{key}={text!r} is not {KINDS[types[name]]}; the default is {default}")
        if value not in CHOICES.get(name, (value,)):
            raise SettingsError(f"{key}={text!r} is none of {', '.join(CHOICES[name])}")
        values[name] = value
    return Settings(**values)  # type: ignore[arg-type]
