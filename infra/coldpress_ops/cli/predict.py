"""`coldpress predict`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from coldpress.errors import InvalidRequest
from coldpress_ops.cli.options import (
    DEFAULT_STATE,
    DEFAULT_URL,
    Json,
    Key,
    Name,
    State,
    Url,
    connect,
    print_json,
)

EXTENSIONS = {
    ".csv": "text/csv",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".npy": "application/x-npy",
    ".png": "image/png",
    ".txt": "text/plain",
}
MAGIC = {
    b"\x93NUMPY": "application/x-npy",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}


def predict(
    name: Name,
    value: Annotated[
        str | None, typer.Argument(help="Text or JSON; - reads stdin.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A text, JSON, CSV, PNG, JPEG or npy file.")
    ] = None,
    alias: Annotated[str | None, typer.Option("--alias", help="Ask what this alias points at.")] = None,
    version: Annotated[int | None, typer.Option("--version", min=1, help="Ask this version.")] = None,
    content_type: Annotated[
        str | None, typer.Option("--type", help="The content type, where guessing it goes wrong.")
    ] = None,
    json: Json = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    state: State = DEFAULT_STATE,
) -> None:
    """Ask a model for predictions: one line for each.

    What is sent is told by the file's extension, then by its content: npy, PNG, JPEG, JSON (an
    object or a list), else text. A text's final line break is not sent.

    Example: coldpress predict sentiment "what a film"
    """
    if (value is None) == (file is None):
        raise typer.BadParameter("give a VALUE, - for stdin, or --file FILE: exactly one of them")
    if alias and version is not None:
        raise typer.BadParameter("give --alias or --version, not both")
    if content_type and not (content_type.isascii() and content_type.isprintable()):
        raise typer.BadParameter(f"--type is {content_type!r}, and no type has such characters")
    if file is not None:
        body, kind = file.read_bytes(), EXTENSIONS.get(file.suffix.lower())
    else:
        if value and Path(value).suffix.lower() in EXTENSIONS and Path(value).is_file():
            typer.echo(f"{value!r} is sent as text; to send the file, say --file {value}", err=True)
        body, kind = sys.stdin.buffer.read() if value == "-" else (value or "").encode(), None
    kind = content_type or kind or _guess(body)
    if kind == "text/plain":
        body = body.removesuffix(b"\n").removesuffix(b"\r")
    with connect(url, key, state) as client:
        answer = client.predict(name, body, kind, alias=alias, version=version)
    if json:
        return print_json(answer)
    for prediction in answer.get("predictions", [answer]):
        typer.echo(_line(prediction))
    return None


def _guess(body: bytes) -> str:
    for magic, kind in MAGIC.items():
        if body.startswith(magic):
            return kind
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            json.loads(body)
        except ValueError:
            pass
        else:
            return "application/json"
    try:
        body.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("cannot tell what is to be sent; say it: --type image/png") from None
    return "text/plain"


def _line(prediction: Any) -> str:
    if isinstance(prediction, dict) and {"label", "score"} <= prediction.keys():
        return f"{prediction['label']}\t{prediction['score']:.4f}"
    return json.dumps(prediction, ensure_ascii=False)
