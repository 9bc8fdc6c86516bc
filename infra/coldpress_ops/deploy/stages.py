"""The stages that samconfig.toml knows, and what each is deployed with."""

import shlex
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from coldpress.errors import InvalidRequest, NotFound

CONFIGURATION = "samconfig.toml"
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's name of a processor, and the layers' Makefiles'."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of one project."""

    name: str
    stack: str
    folder: Path
    """The project: template, functions, layers."""
    parameters: dict[str, str]
    """The template's parameters that are not what they were before, or not the defaults."""
    architecture: str
    runtime: str
    """Such as `python3.13`; "" for a template without that parameter."""

    def with_deployed(self, deployed: dict[str, str]) -> "Stage":
        """For a stack that has these parameters: SAM keeps what is not named, so packages must fit that."""
        kept = deployed | self.parameters
        return replace(
            self,
            architecture=kept.get("Architecture", self.architecture),
            runtime=kept.get("Runtime", self.runtime),
        )

    @property
    def template(self) -> Path:
        """The template as written."""
        return self.folder / "template.yaml"

    def bucket(self, account: str, region: str) -> str:
        """The name that the template gives to the bucket it makes."""
        return f"coldpress-{self.parameters['Stage']}-{account}-{region}"

    @property
    def built(self) -> Path:
        """Where `sam build` leaves functions, layers and the template that points at them."""
        return self.folder / ".aws-sam" / "build"


def read_stage(name: str, template: Path, changed: list[str]) -> Stage:
    """The stage of that name; `changed` are parameters as NAME=VALUE, which win.

    Raises:
        NotFound: no such stage, or a template without the rest of the project beside it.
        InvalidRequest: a parameter that the template does not have, or no NAME=VALUE.
    """
    folder = template.parent
    if not (folder / CONFIGURATION).is_file() or not (folder / "layers").is_dir():
        raise NotFound(
            f"{folder} has no {CONFIGURATION} or no layers/: deploying needs the whole project, so clone it "
            "and run coldpress deploy in its folder"
        )
    settings = _settings(folder / CONFIGURATION, name)
    declared = yaml.load(template.read_text(), PlainValues)  # noqa: S506 - a safe loader of our own
    parameters = _pairs(shlex.split(settings.get("parameter_overrides", ""))) | _pairs(changed)
    if unknown := sorted(parameters.keys() - declared["Parameters"].keys()):
        raise InvalidRequest(
            f"{template.name} has no parameter {', '.join(unknown)}; "
            f"it has {', '.join(declared['Parameters'])}"
        )
    defaults = {key: each.get("Default") for key, each in declared["Parameters"].items()}
    return Stage(
        name=name,
        stack=settings["stack_name"],
        folder=folder,
        parameters=parameters,
        architecture=parameters.get("Architecture", defaults.get("Architecture", "x86_64")),
        runtime=parameters.get("Runtime", defaults.get("Runtime", "")),
    )


def _settings(file: Path, name: str) -> dict[str, Any]:
    configured = tomllib.loads(file.read_text())
    stages = [key for key in configured if key not in ("version", "default")]
    if name not in stages:
        raise NotFound(f"{file.name} has no stage {name!r}; it has {', '.join(stages)}")
    settings: dict[str, Any] = configured[name]["deploy"]["parameters"]
    return settings


def _pairs(words: list[str]) -> dict[str, str]:
    pairs = dict(word.partition("=")[::2] for word in words)
    if bad := [word for word in words if "=" not in word or word.startswith("=")]:
        raise InvalidRequest(f"{bad[0]!r} is no NAME=VALUE, such as PredictMemory=3008")
    return pairs


class PlainValues(yaml.SafeLoader):
    """CloudFormation's tags read as nothing: only plain values are looked at."""


PlainValues.add_multi_constructor("!", lambda *_: None)
