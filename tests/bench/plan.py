"""Which measurements give which rows, and how often each is repeated."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from . import answers, cold, load, machine, packages, peerservers, warm
from .catalogue import Figure
from .world import World

Note = Callable[[str], None]


@dataclass(frozen=True)
class Runs:
    """Repetitions of each kind of measurement."""

    mlp: int = 15
    text: int = 9
    conv: int = 9
    bert: int = 5
    servers: int = 5
    dropped: int = 7
    rounds: int = 3


QUICK = Runs(mlp=2, rounds=1)
CALLS = {"mlp": 1500, "text": 600, "conv": 60}
WARM = (("mlp", "json"), ("mlp", "binary"), ("text", "json"), ("conv", "json"), ("conv", "binary"))


class Plan:
    """Measures what is asked for. Rows that need the same processes share them."""

    def __init__(
        self, world: World, package: packages.Package, wanted: set[str], runs: Runs, note: Note
    ) -> None:
        """`note` is told what is being measured."""
        self._world = world
        self._package = package
        self._wanted = wanted
        self._runs = runs
        self._note = note

    def figures(self) -> Iterator[Figure]:
        """Every row that is wanted and can be measured here, as soon as it is known."""
        steps = (
            self._cold_mlp,
            self._cold_dropped,
            self._cold_others,
            self._servers,
            self._warm,
            self._load,
            self._package_size,
            self._answers,
        )
        for step in steps:
            yield from step()

    def _tick(self) -> None:
        self._note("")

    def _cold_mlp(self) -> Iterator[Figure]:
        rows = {
            "cold_mlp_vs_naive": "naive",
            "cold_cpu_mlp_vs_naive": "naive",
            "cold_mlp_vs_powertools": "powertools",
            "cold_mlp_vs_noop": "noop",
            "cold_mlp_vs_onnxruntime": "onnxruntime",
        }
        peers = {peer for row, peer in rows.items() if row in self._wanted}
        if not peers:
            return
        samples = self._cold("mlp", sorted(peers), self._runs.mlp)
        for row, peer in rows.items():
            if row in self._wanted:
                yield _figure(row, samples, peer, "cpu" if "cpu" in row else "wall")

    def _cold_dropped(self) -> Iterator[Figure]:
        row = "cold_mlp_pagecache_vs_naive"
        if row not in self._wanted:
            return
        if not machine.can_drop_caches():
            self._note(f"skipped: {row} needs root, and a page cache that may be dropped")
            return

        def before() -> None:
            machine.drop_caches()
            self._world.read_all("mlp")

        yield _figure(row, self._cold("mlp", ["naive"], self._runs.dropped, before), "naive")

    def _cold_others(self) -> Iterator[Figure]:
        for name, runs in (("text", self._runs.text), ("conv", self._runs.conv), ("bert", self._runs.bert)):
            row = f"cold_{name}_vs_naive"
            if row in self._wanted:
                yield _figure(row, self._cold(name, ["naive"], runs), "naive")

    def _cold(
        self, name: str, peers: list[str], runs: int, before: Callable[[], None] = lambda: None
    ) -> dict[str, list[cold.Sample]]:
        self._note(f"cold starts: {name}, {', '.join(['ours', *peers])}")
        # Pictures travel as binary, by everybody: as JSON their parsing would be half of the figure.
        binary = name == "conv"
        starts = {"ours": cold.ours(self._world, self._package, name, binary=binary)}
        for peer in peers:
            starts[peer] = self._start(peer, name, binary=binary)
        return cold.measured(starts, runs, self._tick, before)

    def _start(self, peer: str, name: str, *, binary: bool) -> cold.Start:
        if peer == "noop":
            return cold.noop()
        if peer == "onnxruntime":
            return cold.bare_onnxruntime(self._world.models[name].path)
        return cold.peer(self._world, peer, name, binary=binary)

    def _servers(self) -> Iterator[Figure]:
        starts = {}
        for name in packages.SERVERS:
            row = f"cold_mlp_vs_{name}"
            if row not in self._wanted:
                continue
            self._note(f"installing {name}, once")
            try:
                starts[name] = peerservers.server(name, self._world.models["mlp"])
            except packages.NotInstallable as error:
                self._note(f"skipped: {row}: {error}")
        if starts:
            self._note(f"cold starts: mlp, {', '.join(['ours', *starts])}")
            both = {"ours": cold.ours(self._world, self._package, "mlp")} | starts
            samples = cold.measured(both, self._runs.servers, self._tick)
            for name in starts:
                yield _figure(f"cold_mlp_vs_{name}", samples, name)

    def _warm(self) -> Iterator[Figure]:
        for name, form in WARM:
            row = f"warm_{name}_{form}_overhead_vs_naive"
            if row not in self._wanted:
                continue
            self._note(f"warm requests: {name}, {form}")
            found = warm.overheads(
                self._world, self._package, name, CALLS[name], self._runs.rounds, self._tick,
                binary=form == "binary",
            )  # fmt: skip
            yield Figure(row, median(found["ours"]), median(found["naive"]), CALLS[name] * self._runs.rounds)

    def _load(self) -> Iterator[Figure]:
        if not self._wanted & {"load_bert_bandwidth", "rss_bert"}:
            return
        self._note("loading the transformer")
        found = load.measured(self._world, self._package, "bert", self._runs.bert, self._tick)
        if "load_bert_bandwidth" in self._wanted:
            ready, download = median(found.ready) * 1000, median(found.download) * 1000
            yield Figure("load_bert_bandwidth", ready, download, self._runs.bert)
        if "rss_bert" in self._wanted:
            yield Figure("rss_bert", median(found.peak) / 1e6, found.model_bytes / 1e6, self._runs.bert)

    def _package_size(self) -> Iterator[Figure]:
        sizes = {"package_unzipped_mb": self._package.unzipped, "package_zipped_mb": self._package.zipped}
        for row, size in sizes.items():
            if row in self._wanted:
                naive = packages.size_without_bytecode(packages.peer("naive"), zipped="_zipped_" in row)
                yield Figure(row, size / 1e6, naive / 1e6, 1)

    def _answers(self) -> Iterator[Figure]:
        if "answers_identical" in self._wanted:
            self._note("comparing answers")
            same = [answers.identical(self._world, self._package, name) for name in self._world.models]
            yield Figure("answers_identical", sum(same), len(same), 1)


def _figure(row: str, samples: dict[str, list[cold.Sample]], peer: str, what: str = "wall") -> Figure:
    ours, theirs = (median(getattr(s, what) for s in samples[name]) for name in ("ours", peer))
    return Figure(row, ours, theirs, len(samples["ours"]))
