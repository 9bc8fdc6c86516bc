"""Texts with labels, their division, and tables from files."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from coldpress_build.data.split import split
from coldpress_build.data.tables import read_table, read_texts
from coldpress_build.data.texts import LabelledTexts
from coldpress_build.errors import DataError


def rows(count: int = 100) -> LabelledTexts:
    return LabelledTexts.of(
        "some", [f"text {n}" for n in range(count)], ["ab"[n % 5 == 0] for n in range(count)]
    )


def test_labels_become_indices_of_the_sorted_classes() -> None:
    data = LabelledTexts.of("some", ["x", "y", "z"], ["good", "bad", "good"], ["a note"])
    assert data == LabelledTexts("some", ("x", "y", "z"), (1, 0, 1), ("bad", "good"), ("a note",))
    assert data.take([2, 0]).texts == ("z", "x")


def test_the_fingerprint_is_of_the_rows_in_order() -> None:
    data = LabelledTexts.of("some", ["x", "é"], ["a", "b"])
    same = LabelledTexts.of("renamed", ["x", "é"], ["a", "b"])
    assert (
        data.fingerprint
        == same.fingerprint
        == ("4acd63b3e4780cab7208f5293877b489a4234946ab411a52ea08aa25545c98e8")
    )
    assert data.reference == f"some@{data.fingerprint[:16]}"
    for other in (["é", "x"], ["x", "e"]):
        assert LabelledTexts.of("some", other, ["a", "b"]).fingerprint != data.fingerprint


@pytest.mark.parametrize(
    ("labels", "message"),
    [([], "it has no rows"), (["a", "a"], "all 2 rows are 'a'")],
)
def test_fewer_than_two_classes_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LabelledTexts.of("some", ["x"] * len(labels), labels)


def test_parts_share_no_row_and_have_the_same_shares_of_the_classes() -> None:
    data = rows()
    parts = split(data, 0.2, 0.1, seed=0)
    assert parts.counts() == {"train": 70, "validation": 20, "test": 10}
    assert Counter(parts.train.texts + parts.validation.texts + parts.test.texts) == Counter(data.texts)
    assert [part.labels.count(0) / len(part) for part in (parts.train, parts.validation, parts.test)] == [
        0.8
    ] * 3


def test_the_seed_decides_the_parts() -> None:
    assert split(rows(), 0.2, 0.1, 0) == split(rows(), 0.2, 0.1, 0)
    assert split(rows(), 0.2, 0.1, 0) != split(rows(), 0.2, 0.1, 1)
    assert sum(split(rows(), 0.2, 0.1, 0, limit=50).counts().values()) == 50


def test_too_few_rows_of_a_class_are_an_error() -> None:
    data = LabelledTexts.of("some", ["x", "y", "z"], ["a", "a", "b"])
    with pytest.raises(DataError, match=r"^some: 3 rows, 1 of class 'b', cannot be divided"):
        split(data, 0.1, 0.1, 0)


def write(tmp_path: Path, name: str, content: str) -> Path:
    path = tmp_path / name
    path.write_text(content)
    return path


def test_json_lines_make_columns(tmp_path: Path) -> None:
    lines = '{"text": "a", "x": [1, 2], "y": 0.5}\n\n{"y": 1, "text": "b", "x": [3, 4]}\n'
    table = read_table(write(tmp_path, "rows.jsonl", lines))
    assert {name: column.tolist() for name, column in table.items()} == {
        "text": ["a", "b"],
        "x": [[1, 2], [3, 4]],
        "y": [0.5, 1.0],
    }
    assert table["text"].dtype == object


def test_csv_columns_of_numbers_are_numbers(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "rows.csv", '\ufefftext,n,x\n"a, b",1,1.5\n"line\nbreak",2,-3\n'))
    assert table["text"].tolist() == ["a, b", "line\nbreak"]
    assert (table["n"].dtype, table["n"].tolist()) == (np.int64, [1, 2])
    assert (table["x"].dtype, table["x"].tolist()) == (np.float64, [1.5, -3.0])


def test_npz_is_read_without_pickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.ones((2, 3), np.float32), text=np.array(["a", "b"]))
    table = read_table(tmp_path / "rows.npz")
    assert (table["x"].shape, table["text"].tolist()) == ((2, 3), ["a", "b"])
    np.savez(tmp_path / "pickled.npz", x=np.array([{}, {}], object))
    with pytest.raises(DataError, match=r"is not what \.npz means"):
        read_table(tmp_path / "pickled.npz")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.txt", "", r"data files end with \.jsonl, \.csv, \.npz, not '\.txt'"),
        ("rows.jsonl", "", "has no rows"),
        ("rows.csv", "", "has no rows"),
        ("rows.csv", "a,b\n", "has no rows"),
        ("rows.csv", "a,b\n1\n", "row 2 has 1 fields, the header has 2"),
        ("rows.csv", "a,a\n1,2\n", "a column name comes twice"),
        ("rows.jsonl", "no json", r"is not what \.jsonl means"),
        ("rows.jsonl", '{"a": 1}\n{"b": 1}\n', "line 2 is no object with the keys a"),
        ("rows.jsonl", "[1]\n", "line 1 is no object"),
        ("rows.jsonl", '{"a": [1]}\n{"a": [1, 2]}\n', "different shapes; pad them"),
        ("rows.jsonl", '{"a": "x"}\n{"a": 1}\n', "'a' mixes text with numbers or holds null"),
        ("rows.jsonl", '{"a": null}\n', "'a' mixes text with numbers or holds null"),
        ("rows.npz", "PK", r"is not what \.npz means"),
    ],
)
def test_other_files_are_refused_with_the_reason(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, name, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(f"{tmp_path}/rows.csv cannot be read: No such file")):
        read_table(tmp_path / "rows.csv")


def test_columns_of_different_lengths_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", a=np.ones(2), b=np.ones(3))
    with pytest.raises(DataError, match=r"different numbers of rows: \{'a': 2, 'b': 3\}"):
        read_table(tmp_path / "rows.npz")


def test_texts_need_the_columns_text_and_label(tmp_path: Path) -> None:
    data = read_texts(write(tmp_path, "mine.csv", "label,text\n1,good\n0,bad\n"))
    assert data == LabelledTexts("mine", ("good", "bad"), (1, 0), ("0", "1"))
    with pytest.raises(DataError, match=r"no column 'label' \(the class of each row\); it has 'text', 'x'"):
        read_texts(write(tmp_path, "mine.csv", "text,x\ngood,1\n"))
    with pytest.raises(DataError, match="the text of row 1 is 4, which is no text"):
        read_texts(write(tmp_path, "mine.csv", "text,label\n4,a\n5,b\n").rename(tmp_path / "n.csv"))
