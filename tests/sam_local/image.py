"""A Lambda base image made from Debian's packages, for machines that reach no image registry.

Python and its libraries from Debian, Lambda's own runtime interface client, and a bootstrap. `sam local` adds
the runtime interface emulator to it.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from ..support import toolbox

NAME = "coldpress-test/lambda-python"
# Installation tools that Debian's packages ask for, and that nothing in the image runs.
UNWANTED = (
    "libperl",
    "libgdbm",
    "libkrb",
    "libgssapi",
    "libk5",
    "libkeyutils",
    "libacl",
    "libselinux",
    "libmd0",
)
# libc-bin brings the locale C.UTF-8, by which models change case.
LIBRARIES = ("libc-bin", "libstdc++6", "libgcc-s1", "busybox-static", "ca-certificates")
APPLETS = ("sh", "ls", "cat", "env", "ps", "sleep", "mkdir", "tar", "id")
BOOTSTRAP = """#!/bin/sh
export PYTHONPATH=/opt/python:/var/runtime
exec /usr/bin/python{version} -m awslambdaric "$_HANDLER"
"""
DOWNLOAD_SECONDS = 300


def python_version() -> str:
    """The version of Debian's own Python, such as 3.11."""
    told = _run("apt-cache", "depends", "python3-minimal")
    if "python3." not in told:
        _run("apt-get", "update")
        told = _run("apt-cache", "depends", "python3-minimal")
    (name,) = {word for word in told.split() if word.startswith("python3.") and word.endswith("-minimal")}
    return name.removeprefix("python").removesuffix("-minimal")


def build(folder: Path, constraints: Path, environment: dict[str, str]) -> str:
    """Makes the image for the engine that `environment` names; its tag."""
    version = python_version()
    root = folder / "root"
    root.mkdir(parents=True)
    # Debian's directories since /usr was merged; the packages still bring files for both.
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in _packages(version, folder / "packages"):
        _unpack(package, root)
    for name in ("tmp", "opt", "var/task", "var/runtime", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for applet in APPLETS:
        if not (root / "bin" / applet).exists():
            (root / "bin" / applet).symlink_to("busybox")
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\nsbx_user1051:x:993:990::/home:/bin/sh\n")
    _certificates(root)
    _runtime(root / "var" / "runtime", version, constraints)
    for waste in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / waste, ignore_errors=True)
    return _import(root, f"{NAME}:{version}", environment)


def remove(tag: str, environment: dict[str, str]) -> None:
    """Takes the image's name from the engine, which may be the user's own."""
    command = ["docker", "rmi", "--force", tag]
    subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)


def _packages(version: str, folder: Path) -> list[Path]:
    wanted = (f"python{version}-minimal", f"libpython{version}-stdlib", *LIBRARIES)
    without = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    options = [f"--no-{name}" for name in without]
    told = _run("apt-cache", "depends", "--recurse", *options, *wanted)
    names = {line for line in told.splitlines() if line and not line.startswith((" ", "<"))}
    kept = {name for name in names if name.startswith(("lib", "zlib")) and not name.startswith(UNWANTED)}
    folder.mkdir()
    try:
        _run("apt-get", "download", *sorted(kept | set(wanted)), cwd=folder)
    except RuntimeError:
        # The lists are older than what the mirrors still have.
        _run("apt-get", "update")
        _run("apt-get", "download", *sorted(kept | set(wanted)), cwd=folder)
    return sorted(folder.glob("*.deb"))


def _unpack(package: Path, root: Path) -> None:
    # `dpkg-deb --extract` would put a directory in a link's place.
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as contents:
        subprocess.run(
            ["tar", "--extract", "--keep-directory-symlink", "--directory", str(root)],
            stdin=contents.stdout,
            timeout=DOWNLOAD_SECONDS,
            check=True,
        )
    if contents.returncode:
        raise RuntimeError(f"{package.name} could not be unpacked")


def _certificates(root: Path) -> None:
    """One file of them all, as the package's own script would make it; Rust's TLS does not start without."""
    trusted = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(path.read_bytes() for path in trusted))


def _runtime(folder: Path, version: str, constraints: Path) -> None:
    _run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--target", str(folder), "--only-binary=:all:", "--python-version", version),
        *("--implementation", "cp", "--platform", f"manylinux2014_{platform.machine()}"),
        *("--platform", f"manylinux_2_28_{platform.machine()}"),
        *("--constraint", str(constraints), "awslambdaric"),
    )
    bootstrap = folder / "bootstrap"
    bootstrap.write_text(BOOTSTRAP.format(version=version))
    bootstrap.chmod(0o755)


def _import(root: Path, tag: str, environment: dict[str, str]) -> str:
    changes = (
        "WORKDIR /var/task",
        "ENV LANG=en_US.UTF-8 TZ=:UTC LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime",
        "ENV PATH=/usr/bin:/bin:/opt/bin LD_LIBRARY_PATH=/lib64:/usr/lib64:/var/runtime:/var/task:/opt/lib",
    )
    options = [word for change in changes for word in ("--change", change)]
    owner = ("--owner=0", "--group=0", "--numeric-owner")
    with subprocess.Popen(
        ["tar", "--create", *owner, "--directory", str(root), "."], stdout=subprocess.PIPE
    ) as packed:
        subprocess.run(
            ["docker", "import", *options, "-", tag],
            env=os.environ | environment,
            stdin=packed.stdout,
            stdout=subprocess.DEVNULL,
            timeout=DOWNLOAD_SECONDS,
            check=True,
        )
    if packed.returncode:
        raise RuntimeError("the image could not be packed")
    return tag


def _run(*command: str, cwd: Path | None = None) -> str:
    return toolbox.run(*command, seconds=DOWNLOAD_SECONDS, cwd=cwd)
