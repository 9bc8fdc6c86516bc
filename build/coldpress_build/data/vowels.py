"""Japanese vowels: who of nine speakers said /ae/, from 12 coefficients (LPC cepstrum) of 7 to 29 frames.

M. Kudo, J. Toyama and M. Shimbo: Multidimensional curve classification using passing-through regions. Pattern
Recognition Letters 20 (1999). The sequences travel in the wheel of aeon (BSD licence), as text.
"""

import zipfile
from pathlib import Path

import numpy as np

from coldpress_build.cache import Download, fetch
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.sequences import padded

NAME = "japanese-vowels"
SOURCE = Download(
    package="aeon",
    version="1.6.0",
    filename="aeon-1.6.0-py3-none-any.whl",
    sha256="d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409",
)
MEMBERS = tuple(f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts" for part in ("TRAIN", "TEST"))


def load(cache: Path | None = None) -> Dataset:
    """640 sequences of 12 channels and 7 to 29 steps, by nine speakers.

    Raises:
        DataError: not in the cache, and it cannot be downloaded.
    """
    sequences, labels = [], []
    with zipfile.ZipFile(fetch(SOURCE, cache)) as wheel:
        for member in MEMBERS:
            text = wheel.read(member).decode("utf-8")
            for line in text.partition("@data")[2].split():
                # channel:channel:…:label, and each channel is step,step,…
                *channels, label = line.split(":")
                sequences.append(np.array([channel.split(",") for channel in channels], np.float32).T)
                labels.append(f"speaker {label}")
    return Dataset.labelled(NAME, padded(sequences), labels)
