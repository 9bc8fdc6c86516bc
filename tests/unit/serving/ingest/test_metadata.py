"""What a model's author wrote into it."""

import pytest

from coldpress.ingest.metadata import MAX_VALUE, Metadata, read
from coldpress.ingest.refusal import Refused


def test_metadata_is_sorted_by_use() -> None:
    found = {
        "coldpress.labels": '["Katze", "Hünd"]',
        "coldpress.warmup": '{"inputs": []}',
        "coldpress.metrics": '{"accuracy": 0.95, "epochs": 3}',
        "coldpress.session": '{"arena": false}',
        "coldpress.note": "not the author's to write",
        "author": "me",
        "names": "x" * (MAX_VALUE + 1),
    }
    assert read(found) == Metadata(
        labels=("Katze", "Hünd"),
        warmup={"inputs": []},
        session={"arena": False},
        others={"coldpress.metrics": '{"accuracy": 0.95, "epochs": 3}', "author": "me"},
    )
    assert read({}) == Metadata((), None, {}, {})


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("coldpress.labels", "cat,dog"),
        ("coldpress.labels", '{"0": "cat"}'),
        ("coldpress.labels", "[1, 2]"),
        ("coldpress.labels", "[]"),
        ("coldpress.labels", '["\\ud800"]'),
        ("coldpress.labels", "[" * 100_000),
        ("coldpress.warmup", "[]"),
        ("coldpress.warmup", '{"inputs": 3}'),
        ("coldpress.metrics", '{"accuracy": "good"}'),
        ("coldpress.metrics", '{"accuracy": true}'),
        ("coldpress.session", '{"arena": 0}'),
        ("coldpress.session", '{"threads": true}'),
    ],
)
def test_what_is_not_as_its_key_says_is_refused(key: str, text: str) -> None:
    with pytest.raises(Refused, match=f"^metadata {key} must be a JSON (list|request|object).*such as"):
        read({key: text})
