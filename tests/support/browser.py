"""A page in a real browser: what a person would see of it."""

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def browser() -> str:
    """The path of an installed browser, or skip."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    return found


def look(page: Path, probe: str, folder: Path, *, width: int = 1300, dark: bool = False) -> Any:
    """What the JavaScript function `probe` answers in `page` once it is loaded.

    The page is in a frame, which can be narrower than a browser's window. The probe travels at its end, the
    answer in the document that the browser prints.
    """
    script = (
        "addEventListener('load', () => { parent.document.documentElement.dataset.answer = "
        f"JSON.stringify(({probe})()) }})"
    )
    inside = escape(f"{page.read_text('utf-8')}<script>{script}</script>")
    outside = folder / f"framed-{width}-{dark}.html"
    frame = f'<iframe srcdoc="{inside}" style="width:{width}px;height:800px;border:0"></iframe>'
    outside.write_text(f'<!doctype html><meta charset="utf-8">{frame}', "utf-8")
    command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder / 'profile'}", "--window-size=1400,900", "--dump-dom"]
    command += ["--blink-settings=preferredColorScheme=0"] * dark + ["--proxy-server=127.0.0.1:9"]
    done = subprocess.run(
        [*command, outside.as_uri()], capture_output=True, text=True, timeout=90, check=True, encoding="utf-8"
    )
    answer = re.search(r'data-answer="([^"]*)"', done.stdout)
    assert answer, done.stderr[-2000:]
    return json.loads(unescape(answer[1]))
