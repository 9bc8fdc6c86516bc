"""The objects in the store's folder, as S3 would list them."""

import logging
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from coldpress_ops.local.events import Object

logger = logging.getLogger(__name__)

# obstore's names for files that are still being written.
_TEMPORARY = re.compile(r"#\d+$")


def find(folder: Path, prefix: str, suffix: str) -> Iterator[Object]:
    """Every object whose key has this prefix and suffix.

    The folder is walked here because obstore's listing fails as a whole on one file whose name
    cannot be a key; here that file is skipped with a warning.
    """
    for parent, _, names in os.walk(folder / prefix.rpartition("/")[0]):
        for name in names:
            path = Path(parent, name)
            key = path.relative_to(folder).as_posix()
            if not key.startswith(prefix) or not name.endswith(suffix) or _TEMPORARY.search(name):
                continue
            if not key.isprintable():
                _warn(path)
                continue
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            # The ETag that obstore gives a file.
            etag = f"{status.st_ino:x}-{status.st_mtime_ns // 1000:x}-{status.st_size:x}"
            yield Object(key, status.st_size, etag, status.st_mtime_ns)


@cache
def _warn(path: Path) -> None:
    """Once per file, for the folder is walked every few seconds."""
    logger.warning(
        "%r cannot be an object key (control or undecodable characters); rename the file", str(path)
    )
