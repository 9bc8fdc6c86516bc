"""`sam build`, and `sam local` in containers: SeaweedFS is the bucket, and a thread here is its events."""

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from obstore.store import S3Store

from ...sam_local import engine, image
from ...support import keeper, seaweedfs, toolbox
from ...support.ports import free_port
from .deployment import Deployment, Objects, client
from .differences import SAM
from .layers import GLIBC, PROJECT, PYTHON_VERSION
from .notifications import Notifications

REQUIREMENTS = PROJECT / "tests" / "sam_local" / "samcli.txt"
# Where containers reach this machine, and this machine too.
HOST = "172.17.0.1"
RUNTIME = f"python{PYTHON_VERSION}"
BUCKET = "coldpress-sam"
START_SECONDS = 120
BUILD_SECONDS = 300
INVOKE_SECONDS = 120


@dataclass(frozen=True)
class Sam:
    """What `sam build` made, and where to run it."""

    program: Path
    folder: Path
    image: str
    endpoint: str
    environment: dict[str, str]

    @property
    def objects(self) -> Objects:
        return Objects(
            S3Store(
                BUCKET,
                endpoint=self.endpoint,
                region=seaweedfs.REGION,
                access_key_id=seaweedfs.ACCESS_KEY,
                secret_access_key=seaweedfs.SECRET_KEY,
                client_options={"allow_http": True},
            )
        )

    def template(self, file: str = "template", **properties: dict[str, Any]) -> Path:
        """The built template with the store's variables, and resources' properties changed by logical id."""
        template = yaml.safe_load((self.folder / "build" / "template.yaml").read_text())
        template["Parameters"]["Runtime"]["Default"] = RUNTIME
        variables = template["Globals"]["Function"]["Environment"]["Variables"]
        variables |= seaweedfs.variables(self.endpoint) | {"COLDPRESS_STORE": f"s3://{BUCKET}"}
        # An HTTP API encodes bodies that are not text; `sam local` encodes what an API declares as binary.
        api = template["Resources"]["HttpApi"]["Properties"]["DefinitionBody"]
        api["x-amazon-apigateway-binary-media-types"] = ["*/*"]
        for name, changed in properties.items():
            template["Resources"][name]["Properties"] |= changed
        path = self.folder / "build" / f"{file}.json"
        path.write_text(json.dumps(template))
        return path

    def invoke(self, function: str, event: dict[str, Any], **properties: dict[str, Any]) -> Any:
        """`sam local invoke` in a container of its own; what the function returned."""
        template = self.template(uuid.uuid4().hex, **properties)
        done = subprocess.run(
            [*self._local("invoke", template), function, "--event", "-"],
            env=self.environment,
            cwd=self.folder,
            input=json.dumps(event),
            capture_output=True,
            text=True,
            timeout=INVOKE_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"sam local invoke failed:\n{done.stderr[-3000:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    @contextlib.contextmanager
    def started(self, what: str, template: Path) -> Iterator[str]:
        """The URL of `sam local start-api` or `start-lambda`; a function once asked keeps its container."""
        port = free_port()
        # EAGER would start, and wait for, the containers of every function.
        options = ("--host", "127.0.0.1", "--port", str(port), "--warm-containers", "LAZY")
        log = self.folder / f"{what}-{port}.log"
        with keeper.kept([*self._local(what, template), *options], log, self.environment) as process:
            deadline = time.monotonic() + START_SECONDS
            while "Running on http" not in (said := log.read_text()):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"sam local {what} did not start:\n{said[-3000:]}")
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"

    def _local(self, what: str, template: Path) -> list[str]:
        options = ("--template", str(template), "--skip-pull-image", "--invoke-image", self.image)
        return [str(self.program), "local", what, *options, "--region", seaweedfs.REGION]


@contextlib.contextmanager
def built(folder: Path) -> Iterator[Sam]:
    """The application built and everything that its containers need, running."""
    if (version := image.python_version()) != PYTHON_VERSION:
        raise RuntimeError(
            f"the containers get Debian's Python {version}, and this is {PYTHON_VERSION}: layers are built "
            f"for one of them. Use an environment of Python {version}: make PYTHON=python{version}"
        )
    program = toolbox.installed(REQUIREMENTS) / "sam"
    (folder / "weed").mkdir()
    with engine.running(folder / "engine") as found:
        environment = _environment(folder, found)
        tag = image.build(folder / "image", PROJECT / "constraints.txt", environment)
        try:
            _build(program, folder, environment)
            with seaweedfs.running(folder / "weed", HOST) as endpoint:
                seaweedfs.client(endpoint).create_bucket(Bucket=BUCKET)
                yield Sam(program, folder, tag, endpoint, environment)
        finally:
            image.remove(tag, environment)


@contextlib.contextmanager
def running(sam: Sam) -> Iterator[Deployment]:
    """The HTTP API and the bucket's events."""
    template = sam.template()
    with sam.started("start-api", template) as url, sam.started("start-lambda", template) as functions:
        variables = seaweedfs.variables(sam.endpoint)
        with httpx.Client() as nobody:
            bare = Deployment(url, "", sam.objects, nobody, f"s3://{BUCKET}", variables, SAM)
            made = bare.keys("create", "--admin")
        if made.returncode:
            raise RuntimeError(f"no key could be made: {made.stderr}")
        key = made.stdout.strip()
        with Notifications(sam.objects, BUCKET, functions), client(url, key) as http:
            # On a busy machine a container takes longer to start than a caller has patience for.
            for path in ("/v2/health/live", "/openapi.json"):
                http.get(path, timeout=START_SECONDS).raise_for_status()
            yield Deployment(url, key, sam.objects, http, bare.store, variables, SAM)


def _environment(folder: Path, found: dict[str, str]) -> dict[str, str]:
    """No AWS account: with credentials, even wrong ones, `sam local` asks AWS and waits."""
    tests = Path(sys.executable).parent
    return {
        **seaweedfs.without_aws(),
        **found,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": seaweedfs.REGION,
        "PATH": f"{tests}{os.pathsep}{os.environ['PATH']}",
        # For the Makefiles: the containers' Python instead of the template's.
        "PYTHON": sys.executable,
        "RUNTIME": RUNTIME,
        "PLATFORMS": " ".join(f"{glibc}_{platform.machine()}" for glibc in GLIBC),
    }


def _build(program: Path, folder: Path, environment: dict[str, str]) -> None:
    command = [
        *(str(program), "build", "--parallel", "--template", str(PROJECT / "template.yaml")),
        *("--base-dir", str(PROJECT), "--build-dir", str(folder / "build")),
        *("--parameter-overrides", f"Runtime={RUNTIME}"),
    ]
    toolbox.run(*command, seconds=BUILD_SECONDS, cwd=folder, environment=environment)
