"""Names, versions, manifests and aliases in object storage.

    models/{name}/versions/{n}/manifest.json   written last and only once: its presence is the version
    models/{name}/aliases/{alias}.json         a small pointer, moved by compare-and-swap

An alias carries the manifests of the versions it routes to, so that a cold request reads one
object to know everything it must fetch; a small artefact is in its manifest, and needs no fetching.
"""

import json
import math
from collections.abc import Iterable

from coldpress.errors import Conflict, InvalidRequest, NotFound
from coldpress.store import Store
from coldpress.typed import Any, NamedTuple

DEFAULT_ALIAS = "prod"
MAX_NAME = 63
RESERVED_NAMES = frozenset({"stats", "versions", "aliases", "index"})
HISTORY = 20
"""Former positions that an alias remembers for `rollback`."""

INLINE_BYTES = 32 << 10
"""An artefact up to here is in its manifest too: a round trip to S3 takes 15 to 30 ms, so many bytes 1 ms."""

SESSION_SETTINGS = ("arena", "memory_pattern")
"""ONNX Runtime keeps and plans memory between runs unless told `false`: faster, but for a model that is asked
with ever new shapes it keeps growing."""


class Artifact(NamedTuple):
    """One file of a version."""

    key: str
    size: int
    sha256: str
    format: str
    """`ort` (opened in place), `external` (large: weights mapped from the disk) or `onnx`."""
    optimised: bool
    """Offline, at the full level: the session is then made at level 0."""
    cpu: tuple[str, ...] = ()
    """CPU features that the optimised layout needs; a machine without one takes the next artefact."""


class TensorInfo(NamedTuple):
    """An input or output as metadata tells it: OIP datatype, shape with -1 for variable."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class Manifest(NamedTuple):
    """Everything about one version. Immutable once written."""

    model: str
    version: int
    created: str
    """ISO 8601, UTC."""
    artifacts: tuple[Artifact, ...]
    """Best first; the portable one last."""
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    runtime: str
    """The ONNX Runtime version that checked and optimised it."""
    labels: tuple[str, ...] = ()
    warmup: dict[str, Any] | None = None
    """An OIP inference request that is run before the model counts as ready."""
    metadata: dict[str, str] = {}  # noqa: RUF012 - a NamedTuple's default, never written to
    source: dict[str, Any] = {}  # noqa: RUF012
    """The upload: id, key, etag, size, sha256."""
    session: dict[str, bool] = {}  # noqa: RUF012
    """How its sessions are opened, where not as usual: any of SESSION_SETTINGS."""
    inline: str = ""
    """The best artefact in base64, if that is small."""
    refuses_empty: bool = False
    """Whether an input must hold an element: ONNX Runtime's GRU and LSTM end the process where none comes."""

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        return self._asdict() | {
            "artifacts": [artifact._asdict() for artifact in self.artifacts],
            "inputs": [info._asdict() for info in self.inputs],
            "outputs": [info._asdict() for info in self.outputs],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Manifest":
        """From what `to_json` gave. Fields of a later Coldpress are ignored."""
        known = {key: value for key, value in stored.items() if key in cls._fields}
        return cls(
            **known
            | {
                "artifacts": tuple(
                    Artifact(**row | {"cpu": tuple(row.get("cpu", ()))}) for row in stored["artifacts"]
                ),
                "inputs": tuple(_tensor_info(row) for row in stored["inputs"]),
                "outputs": tuple(_tensor_info(row) for row in stored["outputs"]),
                "labels": tuple(stored.get("labels", ())),
            }
        )


class Route(NamedTuple):
    """A share of an alias's traffic."""

    version: int
    weight: float
    manifest: Manifest


class Alias(NamedTuple):
    """Where a name such as `prod` points."""

    model: str
    name: str
    routes: tuple[Route, ...]
    history: tuple[dict[str, Any], ...]
    """Former routes, latest first: `{"routes": [{"version", "weight"}], "until": …}`."""
    etag: str
    shadow: int = 0
    """A version that gets the same requests and answers nobody; 0: none."""


def check_name(name: str, what: str = "model") -> str:
    """`name`, if it may name a model or an alias. Raises `InvalidRequest` saying why not."""
    rule = f"lower-case letters, digits, '-' and '_', at most {MAX_NAME}, starting with a letter or digit"
    kind = "an alias" if what == "alias" else f"a {what}"
    shown = name if len(name) <= MAX_NAME else f"{name[:40]}… ({len(name)} characters)"
    fits = name and len(name) <= MAX_NAME and name[0] not in "-_"
    if not fits or not all(c.isascii() and (c.islower() or c.isdigit() or c in "-_") for c in name):
        raise InvalidRequest(f"{shown!r} cannot name {kind}: use {rule}")
    if name in RESERVED_NAMES:
        raise InvalidRequest(f"{name!r} is a reserved word and cannot name {kind}")
    return name


class Registry:
    """Reads and moves what `ingest` registers."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # ------------------------------------------------------------------ reading
    def models(self) -> list[str]:
        """Names of all models that have a version or are being ingested, sorted."""
        return [name for name in self.store.folders("models") if _names(name)]

    def versions(self, model: str) -> list[int]:
        """Registered versions, ascending. Raises `NotFound` when there is none."""
        prefix = f"models/{check_name(model)}/versions"
        found = sorted(number for info in self.store.walk(prefix) for _, number in _version_at(info.key))
        if not found:
            raise NotFound(
                f"model {model!r} has no version; publish one with: coldpress publish {model} FILE"
            )
        return found

    def index(self) -> list[tuple[str, int]]:
        """Every registered version of every model, in order."""
        return sorted(version for info in self.store.walk("models") for version in _version_at(info.key))

    def manifest(self, model: str, version: int) -> Manifest:
        """One version's manifest. Raises `NotFound`."""
        try:
            stored = self.store.get(manifest_key(check_name(model), version)).data
        except NotFound:
            raise NotFound(f"model {model!r} has no version {version}") from None
        return Manifest.from_json(json.loads(stored))

    def aliases(self, model: str) -> list[Alias]:
        """All aliases of a model, by name."""
        prefix = f"models/{check_name(model)}/aliases"
        keys = [info.key for info in self.store.walk(prefix)]
        names = [
            key.removeprefix(f"{prefix}/").removesuffix(".json") for key in keys if key.endswith(".json")
        ]
        return [self.alias(model, name) for name in sorted(names) if _names(name, "alias")]

    def alias(self, model: str, name: str = DEFAULT_ALIAS) -> Alias:
        """Where an alias points now. Raises `NotFound`."""
        try:
            blob = self.store.get(alias_key(check_name(model), check_name(name, "alias")))
        except NotFound:
            raise NotFound(f"model {model!r} has no alias {name!r}") from None
        return parse_alias(model, name, blob.data, blob.etag)

    def refresh(self, known: Alias) -> Alias:
        """`known`, or what it has become: nothing is transferred while its ETag is the same."""
        try:
            blob = self.store.get_if_changed(alias_key(known.model, known.name), known.etag)
        except NotFound:
            raise NotFound(f"model {known.model!r} has no alias {known.name!r}") from None
        return known if blob is None else parse_alias(known.model, known.name, blob.data, blob.etag)

    # ------------------------------------------------------------------ writing
    def add(self, manifest: Manifest) -> None:
        """Makes a version exist. Writing the same manifest again changes nothing.

        Raises:
            Conflict: that version number is taken by another manifest.
        """
        key = manifest_key(manifest.model, manifest.version)
        data = json.dumps(manifest.to_json(), ensure_ascii=False, indent=1).encode()
        try:
            self.store.create(key, data)
        except Conflict:
            if self.store.get(key).data != data:
                raise Conflict(f"version {manifest.version} of {manifest.model!r} exists already") from None

    def move(
        self,
        model: str,
        name: str,
        weights: dict[int, float],
        now: str,
        *,
        only_forward: bool = False,
        only_from: str = "",
    ) -> Alias:
        """Points an alias at versions by weight, keeping the former position in its history.

        Args:
            weights: version -> share of the traffic; the shares are made to add up to 1.
            now: ISO 8601, UTC.
            only_forward: leave the alias where it is when it already points at a newer version
                (late and repeated upload events must not roll a model back), or has pointed at one of
                these before (nor must they undo what somebody rolled back since).
            only_from: the ETag of the position that the weights were worked out from.

        Raises:
            InvalidRequest: no version, or a weight that is not positive.
            NotFound: a version that does not exist.
            Conflict: the alias is not at `only_from` any more, or somebody else kept moving it.
        """
        check_name(name, "alias")
        total = sum(weights.values())
        if not all(weight > 0 for weight in weights.values()) or not 0 < total < math.inf:
            raise InvalidRequest(
                f"weights must be positive and finite, and at least one is needed; got {weights}"
            )
        shares = {version: weight / total for version, weight in sorted(weights.items())}
        routes = [
            {"version": version, "weight": share, "manifest": self.manifest(model, version).to_json()}
            for version, share in shares.items()
        ]
        key = alias_key(model, name)
        for _ in range(8):
            try:
                current = self.alias(model, name)
            except NotFound:
                if only_from:
                    raise
                stored = _alias_json(routes, ())
                try:
                    etag = self.store.create(key, stored)
                except Conflict:
                    continue
                return parse_alias(model, name, stored, etag)
            if {route.version: route.weight for route in current.routes} == shares:
                # Sent again by a caller that lost the answer: the position to roll back to must stay.
                return current
            if only_forward and (
                max(route.version for route in current.routes) >= max(weights)
                or any(row["version"] in weights for past in current.history for row in past["routes"])
            ):
                return current
            if only_from and current.etag != only_from:
                raise Conflict(f"alias {name!r} of {model!r} was moved by somebody else; look again")
            former = {
                "routes": [{"version": r.version, "weight": r.weight} for r in current.routes],
                "until": now,
            }
            shadow = 0 if current.shadow in shares else current.shadow
            stored = _alias_json(routes, (former, *current.history)[:HISTORY], shadow)
            try:
                etag = self.store.replace(key, stored, current.etag)
            except (Conflict, NotFound):
                continue
            return parse_alias(model, name, stored, etag)
        raise Conflict(f"alias {name!r} of {model!r} is being moved by somebody else; try again")

    def shadow(self, model: str, name: str, version: int) -> Alias:
        """Lets a version run beside an alias's answers without answering anybody; 0 ends that.

        Raises:
            NotFound: no such alias or version.
            Conflict: the alias routes to that version, or somebody else kept moving it at the same time.
        """
        if version:
            self.manifest(model, version)
        for _ in range(8):
            current = self.alias(model, name)
            if current.shadow == version:
                return current
            if any(route.version == version for route in current.routes):
                raise Conflict(
                    f"version {version} answers for alias {name!r} of {model!r} already; "
                    "a shadow is a version that does not"
                )
            routes = [
                {"version": r.version, "weight": r.weight, "manifest": r.manifest.to_json()}
                for r in current.routes
            ]
            stored = _alias_json(routes, current.history, version)
            try:
                etag = self.store.replace(alias_key(model, name), stored, current.etag)
            except (Conflict, NotFound):
                continue
            return parse_alias(model, name, stored, etag)
        raise Conflict(f"alias {name!r} of {model!r} is being moved by somebody else; try again")

    def rollback(self, model: str, name: str, now: str) -> Alias:
        """Points an alias where it pointed before. Raises `Conflict` when it has no former position."""
        current = self.alias(model, name)
        if not current.history:
            raise Conflict(f"alias {name!r} of {model!r} has never pointed anywhere else")
        former = {row["version"]: row["weight"] for row in current.history[0]["routes"]}
        return self.move(model, name, former, now, only_from=current.etag)


def manifest_key(model: str, version: int) -> str:
    """Where a version's manifest is stored."""
    return f"models/{model}/versions/{version}/manifest.json"


def alias_key(model: str, name: str) -> str:
    """Where an alias is stored."""
    return f"models/{model}/aliases/{name}.json"


# What somebody put beside it by hand (a copy, a note) is none of ours, and must not hide what is.
def _names(name: str, what: str = "model") -> bool:
    try:
        check_name(name, what)
    except InvalidRequest:
        return False
    return True


def _version_at(key: str) -> list[tuple[str, int]]:
    """The model and version whose manifest is at `key`; none at any other."""
    parts = key.split("/")
    if len(parts) != 5 or (parts[2], parts[4]) != ("versions", "manifest.json") or not _names(parts[1]):
        return []
    number = parts[3]
    return [(parts[1], int(number))] if number.isascii() and number.isdigit() and number[0] != "0" else []


def parse_alias(model: str, name: str, data: bytes, etag: str) -> Alias:
    """An alias object as stored."""
    stored = json.loads(data)
    routes = tuple(
        Route(row["version"], row["weight"], Manifest.from_json(row["manifest"])) for row in stored["routes"]
    )
    return Alias(model, name, routes, tuple(stored.get("history", ())), etag, stored.get("shadow", 0))


def _alias_json(routes: list[dict[str, Any]], history: Iterable[dict[str, Any]], shadow: int = 0) -> bytes:
    stored: dict[str, Any] = {"routes": routes, "history": list(history)}
    if shadow:
        stored["shadow"] = shadow
    return json.dumps(stored, ensure_ascii=False).encode()


def _tensor_info(row: dict[str, Any]) -> TensorInfo:
    return TensorInfo(row["name"], row["datatype"], tuple(row["shape"]))
