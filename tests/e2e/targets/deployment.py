"""What a test of the suite sees of a deployment, whatever serves it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import obstore

from .differences import Differences


@dataclass(frozen=True)
class Objects:
    """What is stored, seen past our own code: `at` is a store of obstore."""

    at: Any

    def under(self, prefix: str) -> dict[str, bytes]:
        """Every object below a folder by its key."""
        keys = [meta["path"] for page in obstore.list(self.at, prefix) for meta in page]
        return {key: bytes(obstore.get(self.at, key).bytes()) for key in keys}

    def put(self, key: str, content: bytes) -> None:
        """A copy into the store by hand; on a folder written beside and renamed, as any careful copy is."""
        obstore.put(self.at, key, content)


@dataclass(frozen=True)
class Deployment:
    """Something that serves the template."""

    url: str
    key: str
    objects: Objects
    http: httpx.Client
    store: str
    """The store's URL, as `coldpress keys --store` takes it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What a process needs to reach the store."""
    differs: Differences = field(default_factory=Differences)

    def coldpress(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The console script, told where this deployment is."""
        here = {"COLDPRESS_URL": self.url, "COLDPRESS_API_KEY": self.key, "NO_COLOR": "1"}
        return subprocess.run(
            [sys.executable, "-m", "coldpress_ops", *arguments],
            env=os.environ | self.environment | here,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def publish(self, name: str, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return self.coldpress("publish", name, str(path), "--wait", *options)

    def keys(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`coldpress keys`, straight in the store."""
        return self.coldpress("keys", *arguments, "--store", self.store)


def client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60)
