"""Which template `coldpress up` serves."""

from pathlib import Path

from coldpress_ops.project import CHECKOUT, find_template


def test_the_nearest_above(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").touch()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_template(deep) == tmp_path / "template.yaml"
    (tmp_path / "a" / "template.yaml").touch()
    assert find_template(deep) == tmp_path / "a" / "template.yaml"


def test_our_own_when_there_is_none(tmp_path: Path) -> None:
    assert find_template(tmp_path) == CHECKOUT / "template.yaml"
