"""The demo: the whole way from reviews to predictions over HTTP, and the story of it with figures."""

import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from coldpress_build import pipeline
from coldpress_build.result import RunResult
from coldpress_ops import serverprocess
from coldpress_ops.client import Client, PublishResult

MODEL = "sentiment"
RECIPE = "text-classifier"
WARM_REQUESTS = 200
EXAMPLES = (
    "A quiet, gripping film that stays with you.",
    "Two hours of my life that I will never get back, dull from start to finish.",
)


@dataclass(frozen=True)
class Story:
    """Everything that is told at the end. Times are in seconds."""

    training: RunResult
    published: PublishResult
    url: str
    cold_seconds: float
    warm_seconds: float
    """The median of `WARM_REQUESTS`."""
    predictions: tuple[dict[str, Any], ...]
    seconds: float


def run(state: Path, port: int, console: Console) -> Story:
    """Does it all against a server that it starts and stops itself.

    Raises:
        ColdpressError: whichever step failed, with what it needs.
    """
    began = time.monotonic()
    console.print(f"[bold]1. Train, export and press[/] the recipe {RECIPE}")
    training = pipeline.run(RECIPE, None, state / "runs")
    console.print("[bold]2. Serve[/] with a local server, from template.yaml")
    with serverprocess.running(state, port) as server, Client(server.url, server.key) as client:
        console.print(f"[bold]3. Publish[/] {training.model.name} as {MODEL!r} by upload")
        published = client.publish(MODEL, training.model)
        console.print("[bold]4. Predict[/] over HTTP")
        with httpx.Client(base_url=server.url, headers={"x-api-key": server.key}, timeout=30) as http:
            cold, *warm = [_seconds(http) for _ in range(1 + WARM_REQUESTS)]
            predictions = tuple(_ask(http, text) for text in EXAMPLES)
        return Story(
            training=training,
            published=published,
            url=server.url,
            cold_seconds=cold,
            warm_seconds=statistics.median(warm),
            predictions=predictions,
            seconds=time.monotonic() - began,
        )


def _ask(http: httpx.Client, text: str) -> dict[str, Any]:
    answer = http.post(f"/models/{MODEL}/predict", content=text, headers={"content-type": "text/plain"})
    answer.raise_for_status()
    prediction: dict[str, Any] = answer.json()["predictions"][0]
    return prediction


def _seconds(http: httpx.Client) -> float:
    began = time.perf_counter()
    _ask(http, EXAMPLES[0])
    return time.perf_counter() - began


def tell(story: Story, state: Path, console: Console) -> None:
    """Prints the story."""
    console.print()
    for name, value in _figures(story):
        console.print(f"[dim]{name:<24}[/] {value}")
    console.print()
    for text, prediction in zip(EXAMPLES, story.predictions, strict=True):
        console.print(f"[bold]{prediction['label']}[/] {prediction['score']:.2f}  {text}")
    console.print()
    console.print(f"[dim]report[/]   {story.training.report}")
    console.print(f"[dim]state[/]    {state}  (models, keys, logs; delete the folder to start over)")
    console.print("\nGo on with [bold]make up[/], and in another terminal:\n")
    for text in EXAMPLES:
        console.print(_curl(text, state), markup=False)


def _figures(story: Story) -> list[tuple[str, str]]:
    training, published = story.training, story.published
    counts = ", ".join(f"{count:,} {part}" for part, count in training.training.counts.items())
    return [
        ("data", f"{training.dataset}: {counts}"),
        ("accuracy, test part", _accuracies(training)),
        ("size", f"{training.original_bytes:,} → {training.bytes:,} bytes ({training.pressed.winner})"),
        ("data to pressed model", f"{sum(training.seconds.values()):.0f} s"),
        ("upload to ready version", f"{published.seconds:.2f} s (version {published.version})"),
        ("first answer, cold", f"{story.cold_seconds * 1000:.0f} ms, a new process included"),
        ("answer, warm", f"{story.warm_seconds * 1000:.1f} ms, the median of {WARM_REQUESTS}"),
        ("all of it", f"{story.seconds:.0f} s"),
    ]


def _accuracies(training: RunResult) -> str:
    return (
        f"{training.original_score:.3f} as trained, {training.score:.3f} pressed; "
        f"{training.baseline_score:.3f} for {training.training.baseline.name}"
    )


def _curl(text: str, state: Path) -> str:
    return (
        f'curl http://127.0.0.1:8000/models/{MODEL}/predict -H "x-api-key: $(cat {state / "key"})" '
        f"-H 'content-type: text/plain' -d {json.dumps(text)}"
    )
