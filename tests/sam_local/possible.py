"""Whether `make test-sam` can run here, as a program: exit status 0, or 1 and the reason as its last line.

It installs what is missing: Docker from Debian's packages, SAM's command line.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from ..support import toolbox
from . import engine, image

REQUIREMENTS = Path(__file__).with_name("samcli.txt")


def obstacle(folder: Path) -> str:
    """Why not, in one line; "" when it can."""
    try:
        debian, ours = image.python_version(), f"{sys.version_info.major}.{sys.version_info.minor}"
        if debian != ours:
            return f"the containers get Debian's Python {debian}, and this is {ours}: PYTHON=python{debian}"
        toolbox.installed(REQUIREMENTS)
        with engine.running(folder / "engine"):
            return ""
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return (str(error).strip() or repr(error)).splitlines()[-1]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        sys.exit(obstacle(Path(made)) or 0)
