"""`max_rows`: some of the rows, then three parts of them."""

import numpy as np
import pytest

from coldpress_build.data.packaged import PACKAGED
from coldpress_build.data.split import split


@pytest.mark.parametrize("limit", [149, 148, 147, 120])
def test_nearly_all_rows_can_be_drawn(limit: int) -> None:
    iris = PACKAGED["iris"]()
    parts = split(iris, 0.15, 0.2, seed=0, limit=limit)
    assert sum(parts.counts().values()) == limit
    for part in (parts.train, parts.validation, parts.test):
        counts = np.bincount(part.target, minlength=3)
        assert counts.max() - counts.min() <= 2
