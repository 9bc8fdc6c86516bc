"""What an optimised model may need of the machine it runs on, as words that a manifest lists."""

import os


def machine() -> str:
    """The architecture: `x86_64`, `aarch64`."""
    return os.uname().machine


def nchwc_block() -> str:
    """How wide ONNX Runtime's blocked convolution layout is here: `nchwc16`, `nchwc8`.

    Weights stored in one width are nonsense in the other. Source: `NchwcBlockSize` in ONNX Runtime's
    mlas/lib/platform.cpp (16 with AVX-512F and on 64-bit ARM, else 8).
    """
    wide = machine() != "x86_64" or "avx512f" in _flags()
    return "nchwc16" if wide else "nchwc8"


def fits(needed: tuple[str, ...]) -> bool:
    """Whether this machine has everything in an artefact's `cpu`. An unknown word is not there."""
    if not needed:
        return True
    have = {machine()}
    if any(word.startswith("nchwc") for word in needed):
        # Only then: reading the flags takes as long as all the rest of choosing an artefact.
        have.add(nchwc_block())
    return set(needed) <= have


def _flags() -> frozenset[str]:
    with open("/proc/cpuinfo") as file:  # noqa: PTH123 - pathlib is not imported on the cold path
        for line in file:
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
    return frozenset()
