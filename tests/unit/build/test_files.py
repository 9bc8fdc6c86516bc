"""Files as tables, and tables as data sets."""

import csv
import datetime
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from coldpress_build.data.dataset import Dataset
from coldpress_build.data.packaged import PACKAGED
from coldpress_build.data.sources import load, read_rows, read_texts
from coldpress_build.data.tables import read_table
from coldpress_build.errors import DataError


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


def test_json_lines_end_where_json_says(tmp_path: Path) -> None:
    texts = ["a\u2028b", "c\u2029d\x85e", "\U0001f600"]
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    (tmp_path / "rows.jsonl").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    assert read_table(tmp_path / "rows.jsonl")["text"].tolist() == texts
    assert read_table(write(tmp_path, "rows.jsonl", json.dumps({"text": texts[2]})))["text"][0] == texts[2]


def test_half_a_character_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", '{"text": "x"}\n{"text": "\\uD83D"}\n')
    with pytest.raises(DataError, match=r"line 2 holds half a character, such as \\ud83d"):
        read_table(path)
    escaped = write(tmp_path, "rows.jsonl", r'{"text": "C:\\ud"}')
    assert read_table(escaped)["text"].tolist() == [r"C:\ud"]


def test_a_cell_may_be_long(tmp_path: Path) -> None:
    limit = csv.field_size_limit(131_072)
    try:
        table = read_table(write(tmp_path, "rows.csv", f"text,label\n{'x ' * 100_000},a\n"))
    finally:
        csv.field_size_limit(limit)
    assert len(table["text"][0]) == 200_000


@pytest.mark.parametrize(("value", "said"), [("inf", "inf"), ("-1e300", "-1e+300")])
def test_numbers_without_an_end_are_named(tmp_path: Path, value: str, said: str) -> None:
    path = write(tmp_path, "t.csv", f"a,b,label\n1,2,\n1,2,x\n3,{value},y\n")
    with pytest.raises(
        DataError, match=rf"'b' is {re.escape(said)} in row 3; numbers must be within ±3.4e38"
    ):
        read_rows(path, "", values=False)
    assert list(read_rows(path, "", values=False, ignore=["b"]).columns) == ["a"]
    path = write(tmp_path, "t.csv", f"a,label\n1,{value}\n2,1\n3,2.5\n")
    with pytest.raises(DataError, match="'label' has 3 different values"):
        read_rows(path, "", values=False)


def test_csv_columns_of_numbers_are_numbers(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "rows.csv", '\ufefftext,n,x\n"a, b",1,1.5\n"line\nbreak",2,-3\n'))
    assert table["text"].tolist() == ["a, b", "line\nbreak"]
    assert (table["n"].dtype, table["n"].tolist()) == (np.int64, [1, 2])
    assert (table["x"].dtype, table["x"].tolist()) == (np.float64, [1.5, -3.0])


def test_what_is_missing_in_a_column_of_numbers_is_nan(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "rows.csv", "n,t,flag\n1,x,true\n,NA,FALSE\nn/a,,True\n"))
    np.testing.assert_array_equal(table["n"], [1.0, np.nan, np.nan])
    assert table["t"].tolist() == ["x", "NA", ""]
    assert (table["flag"].dtype, table["flag"].tolist()) == (bool, [True, False, True])
    lines = '{"n": 1, "t": null}\n{"n": null, "t": "x"}\n'
    table = read_table(write(tmp_path, "rows.jsonl", lines))
    np.testing.assert_array_equal(table["n"], [1.0, np.nan])
    assert table["t"].tolist() == ["", "x"]


def parquet(folder: Path, **columns: Any) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "rows.parquet")
    return folder / "rows.parquet"


def test_parquet_is_read_as_json_lines_are(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "n": 1, "x": 0.5, "yes": True, "v": [1.0, 2.0], "gap": None, "name": None},
        {"text": "ä", "n": 2, "x": 1.5, "yes": False, "v": [3.0, 4.0], "gap": 3, "name": "x"},
    ]
    written = parquet(tmp_path, **{name: [row[name] for row in rows] for name in rows[0]})
    found = read_table(written)
    expected = read_table(write(tmp_path, "rows.jsonl", "\n".join(map(json.dumps, rows))))
    assert list(found) == list(expected)
    for name, column in found.items():
        assert column.dtype == expected[name].dtype, name
        np.testing.assert_array_equal(column, expected[name])


def test_parquet_of_dates_or_of_dictionaries(tmp_path: Path) -> None:
    dated = parquet(tmp_path, day=[datetime.date(2026, 1, 2)])
    with pytest.raises(
        DataError, match=r"'day' holds datetime.date\(2026, 1, 2\), which is neither text nor"
    ):
        read_table(dated)
    named = parquet(tmp_path, town=pyarrow.array(["Rome", "Oslo", "Rome"]).dictionary_encode())
    assert read_table(named)["town"].tolist() == ["Rome", "Oslo", "Rome"]


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is a folder; this takes one file that ends with \.jsonl, \.csv"):
        read_table(tmp_path)


TABLE = (
    "id,age,town,member,bought\n1,20,Rome,true,yes\n2,30,Oslo,false,no\n3,,Rome,true,\n4,20,Rome,true,no\n"
)


def test_rows_of_a_table_are_cleaned_and_said_so(tmp_path: Path) -> None:
    data = read_rows(write(tmp_path, "shop.csv", TABLE), "", values=False, ignore=["id"])
    assert (data.name, list(data.columns), data.classes) == ("shop", ["age", "town", "member"], ("no", "yes"))
    assert data.target.tolist() == [1, 0, 0]
    assert [data.columns[name].dtype for name in data.columns] == [np.float32, object, bool]
    assert data.notes == (
        "1 rows without bought left out",
        "1 rows have the same columns beside bought as another",
    )
    named = read_rows(write(tmp_path, "shop.csv", TABLE), "town", values=False, categories=["id", "age"])
    assert named.columns["age"].tolist() == ["20.0", "30.0", "nan", "20.0"]


@pytest.mark.parametrize("values", [True, False])
def test_a_table_without_any_answer_has_no_rows(tmp_path: Path, values: bool) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, x=np.ones(2), v=np.ones((2, 3)), label=np.full(2, np.nan))
    with pytest.raises(DataError, match="it has no rows"):
        read_rows(path, "", values=values)
    np.savez(path, x=np.ones(2), v=[[1, 2], [3, np.inf]], label=np.arange(2))
    with pytest.raises(DataError, match=r"'v' is \[3.0, inf\] in row 2"):
        read_rows(path, "", values=values)


def test_values_are_read_from_any_column(tmp_path: Path) -> None:
    data = read_rows(write(tmp_path, "shop.csv", TABLE), "age", values=True)
    assert (data.task, data.target.tolist()) == ("regression", [20.0, 30.0, 20.0])
    assert "1 rows without age left out" in data.notes


@pytest.mark.parametrize(
    ("target", "values", "message"),
    [
        ("price", False, "has no column 'price'"),
        ("town", True, "'town' holds 'Rome', which is no number; --target names another column"),
        ("x", False, "'x' has 4 different values such as 0.5, which are no classes"),
    ],
)
def test_a_target_of_the_wrong_kind_is_an_error(
    tmp_path: Path, target: str, values: bool, message: str
) -> None:
    lines = TABLE.splitlines()
    path = write(
        tmp_path, "t.csv", "\n".join(f"{line},{'x' if not n else n / 2}" for n, line in enumerate(lines))
    )
    with pytest.raises(DataError, match=message):
        read_rows(path, target, values=values)


def test_the_last_column_is_the_answer_of_tables_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", "text,cls\ngood,1\nbad,0\n")
    assert read_rows(path, "", values=False).classes == ("0", "1")
    with pytest.raises(
        DataError, match=r"no column 'label' .*; --target names another\); it has 'text', 'cls'"
    ):
        read_texts(path)


def test_names_that_look_like_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    content = "zip,x,label\n01067,1,007\n80331,2,042\n01067,3,7\n80331,4,NA\n"
    path = write(tmp_path, "t.csv", content)
    data = read_rows(path, "", values=False, categories=["zip"])
    assert sorted(data.classes) == ["007", "042", "7"]
    assert data.answers.tolist() == ["007", "042", "7"]
    assert data.columns["zip"].tolist() == ["01067", "80331", "01067"]
    assert data.notes[0] == "1 rows without label left out"
    # As quantities they are numbers as ever, and so are names without such zeros.
    assert read_rows(path, "zip", values=True).target.tolist() == [1067, 80331, 1067, 80331]
    plain = write(tmp_path, "p.csv", "x,label\n1,10\n2,0\n3,\n")
    assert read_rows(plain, "", values=False).classes == ("0", "10")


def test_text_of_an_npz_in_bytes_is_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, town=np.array(["Köln".encode(), b"Rome"]), label=np.array([b"cat", b"dog"]))
    data = read_rows(path, "", values=False)
    assert (data.classes, data.columns["town"].tolist()) == (("cat", "dog"), ["Köln", "Rome"])
    np.savez(path, label=np.array([b"\xff"]))
    with pytest.raises(DataError, match="'label' holds bytes that are no text in UTF-8"):
        read_table(path)


def test_data_is_a_packaged_set_or_a_file(tmp_path: Path) -> None:
    def read(path: Path) -> Dataset:
        return Dataset.labelled(path.stem, {"text": np.array(["a", "b"], object)}, ["x", "y"])

    assert load("breast_cancer", read).name == "breast-cancer"
    assert load(str(write(tmp_path, "mine.csv", "")), read).name == "mine"
    with pytest.raises(
        DataError, match=r"there is no data 'irises': give a file .* packaged sets iris, wine"
    ):
        load("irises", read)


@pytest.mark.parametrize(
    ("name", "rows", "columns", "classes"),
    [("iris", 150, 4, 3), ("wine", 178, 13, 3), ("breast-cancer", 569, 30, 2), ("diabetes", 442, 10, 0)],
)
def test_the_sets_of_scikit_learn(name: str, rows: int, columns: int, classes: int) -> None:
    data = PACKAGED[name]()
    assert (len(data), len(data.columns), len(data.classes)) == (rows, columns, classes)
    assert all(column.isidentifier() for column in data.columns)


def test_an_npz_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, x=np.arange(50.0))
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[200] ^= 255
    np.save(tmp_path / "one.npy", np.ones(3))
    contents = {
        b"no archive": "no archive of arrays",
        (tmp_path / "one.npy").read_bytes(): "no archive of arrays",
        whole[:-60]: "no archive of arrays",
        bytes(changed): "the archive is damaged",
    }
    for content, message in contents.items():
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"is not what \.npz means: .*{message}"):
            read_table(path)


def test_what_is_no_array_of_rows_in_an_npz_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, x=np.arange(5.0), scale=np.float32(3))
    with pytest.raises(DataError, match="'scale' in it is no array of rows"):
        read_table(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "no array")
    with pytest.raises(DataError, match=r"'notes\.txt' in it is no array of rows"):
        read_table(path)


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
        ("rows.txt", "", r"data files end with \.jsonl, \.csv, \.parquet, \.npz, not '\.txt'"),
        ("rows.jsonl", "", "has no rows"),
        ("rows.csv", "", "has no rows"),
        ("rows.csv", "a,b\n", "has no rows"),
        ("rows.csv", "a,b\n1\n", "row 2 has 1 fields, the header has 2"),
        ("rows.csv", "a,a\n1,2\n", "a column name comes twice"),
        ("rows.jsonl", "no json", r"is not what \.jsonl means"),
        ("rows.jsonl", '{"a": 1}\n{"b": 1}\n', "line 2 is no object with the keys a"),
        ("rows.jsonl", "[1]\n", "line 1 is no object"),
        ("rows.jsonl", '{"a": [1]}\n{"a": [1, 2]}\n', "different shapes; pad them"),
        ("rows.jsonl", '{"a": "x"}\n{"a": 1}\n', "'a' mixes text with numbers, or holds null"),
        ("rows.jsonl", '{"a": [1]}\n{"a": null}\n', "'a'"),
        ("rows.parquet", "PAR1", r"is not what \.parquet means: .*Parquet"),
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
    assert (data.name, data.columns["text"].tolist()) == ("mine", ["good", "bad"])
    assert (data.target.tolist(), data.classes) == ([1, 0], ("0", "1"))
    other = read_texts(write(tmp_path, "mine.csv", "text,target\ngood,a\nbad,b\n"))
    assert (other.classes, list(other.beside)) == (("a", "b"), [])
    with pytest.raises(
        DataError,
        match=r"no column 'label' \(the answer of each row; --target names another\); it has 'text', 'x'",
    ):
        read_texts(write(tmp_path, "mine.csv", "text,x\ngood,1\n"))
    with pytest.raises(DataError, match="the text of row 1 is 4, which is no text"):
        read_texts(write(tmp_path, "mine.csv", "text,label\n4,a\n5,b\n").rename(tmp_path / "n.csv"))
