"""A user's file as a data set."""

from pathlib import Path

from coldpress_build.data.dataset import Dataset
from coldpress_build.data.tables import column, read_table
from coldpress_build.errors import DataError


def read_texts(path: Path, target: str = "label") -> Dataset:
    """A file with the columns `text` and `target`; the data set has the file's name.

    Raises:
        DataError: see `read_table`; a column is missing; fewer than two classes; a text that is no text.
    """
    table = read_table(path)
    texts = column(table, "text", path, "what is classified")
    labels = column(table, target, path, "the class of each row").tolist()
    for number, text in enumerate(texts.tolist(), 1):
        if not isinstance(text, str):
            raise DataError(f"{path}: the text of row {number} is {text!r}, which is no text")
    return Dataset.labelled(path.stem, {"text": texts}, [str(label) for label in labels])
