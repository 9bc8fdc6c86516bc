"""Movie review snippets, each rated by 20 people: the data set that `text-classifier` learns by default.

C.J. Hutto and E.E. Gilbert: VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text. ICWSM 2014. The snippets travel in the source distribution of vaderSentiment (MIT licence).
"""

import io
import tarfile
from pathlib import Path
from typing import IO, cast

import numpy as np

from coldpress_build.cache import Download, fetch
from coldpress_build.data.dataset import Dataset

NAME = "movie-review-snippets"
SOURCE = Download(
    package="vaderSentiment",
    version="2.5",
    filename="vaderSentiment-2.5.tar.gz",
    sha256="b960c954831f5ca58afee61780cc04ed48e551b91e783bfcbfb2c18bb8081a84",
)
ARCHIVE = "vaderSentiment-2.5/additional_resources/hutto_ICWSM_2014.tar.gz"
MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


def load(cache: Path | None = None) -> Dataset:
    """10,566 snippets, "positive" where the mean rating (-4 to 4) is above 0, "negative" below.

    Raises:
        DataError: not in the cache, and it cannot be downloaded.
    """
    texts: list[str] = []
    labels: list[str] = []
    seen: set[str] = set()
    neutral = repeated = 0
    for line in _member(fetch(SOURCE, cache)).splitlines():
        _, rating, text = line.split("\t")
        if float(rating) == 0:
            neutral += 1
        elif text in seen:  # else the same row could be learned and tested
            repeated += 1
        else:
            seen.add(text)
            texts.append(text)
            labels.append("positive" if float(rating) > 0 else "negative")
    notes = (f"{neutral} rows rated exactly 0 left out", f"{repeated} repeated rows left out")
    return Dataset.labelled(NAME, {"text": np.array(texts, object)}, labels, notes)


def _member(path: Path) -> str:
    # `extractfile` gives None for folders only, and the archive's hash is checked.
    with tarfile.open(path) as outer:
        inner = cast(IO[bytes], outer.extractfile(ARCHIVE)).read()
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        return cast(IO[bytes], archive.extractfile(MEMBER)).read().decode("utf-8")
