"""`/models`: what is registered, to look at."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from coldpress import registry
from coldpress.errors import NotFound
from coldpress.registry import DEFAULT_ALIAS, Alias
from control.deployment import Here
from control.failures import documented
from control.parallel import side_by_side
from control.schemas import NAMED, Manifest, Route, TensorInfo, VersionSummary, routes_of
from control.security import Reader

router = APIRouter(tags=["models"])

Name = Annotated[str, Path(description="The model.", examples=["sentiment"], json_schema_extra=NAMED)]
Number = Annotated[int, Path(description="The version, from 1.", ge=1, le=10**9, examples=[7])]
Aliases = Annotated[
    dict[str, list[Route]],
    Field(description="Where each alias points.", examples=[{"prod": [{"version": 7, "weight": 1.0}]}]),
]


class ModelSummary(BaseModel):
    """A model, as the list shows it."""

    name: str = Field(examples=["sentiment"])
    latest: int | None = Field(description="The highest version; null while the first is being ingested.")
    aliases: Aliases


class ModelList(BaseModel):
    """All models, by name."""

    models: list[ModelSummary]


class Model(BaseModel):
    """A model with all its versions."""

    name: str = Field(examples=["sentiment"])
    latest: int
    versions: list[VersionSummary] = Field(description="Ascending.")
    aliases: Aliases
    inputs: list[TensorInfo] = Field(description="Of the version that `prod` points at, else of the latest.")
    outputs: list[TensorInfo] = Field(description="Of the same version as `inputs`.")


class VersionList(BaseModel):
    """A model's versions, ascending."""

    versions: list[VersionSummary]


@router.get("/models", summary="All models", responses=documented())
async def list_models(here: Here, _caller: Reader) -> ModelList:
    """Names, latest versions and where the aliases point."""

    def summary(name: str) -> ModelSummary:
        try:
            latest = here.registry.versions(name)[-1]
        except NotFound:
            latest = None
        aliases = {alias.name: routes_of(alias) for alias in here.registry.aliases(name)}
        return ModelSummary(name=name, latest=latest, aliases=aliases)

    return ModelList(models=side_by_side(summary, here.registry.models()))


@router.get("/models/{name}", summary="One model", responses=documented(400, 404))
async def show_model(name: Name, here: Here, _caller: Reader) -> Model:
    """Its versions with their metrics, its aliases, its inputs and outputs."""
    manifests = side_by_side(lambda n: here.registry.manifest(name, n), here.registry.versions(name))
    aliases = {alias.name: alias for alias in here.registry.aliases(name)}
    prod = aliases.get(DEFAULT_ALIAS)
    shown = _main_manifest(prod) if prod else manifests[-1]
    return Model(
        name=name,
        latest=manifests[-1].version,
        versions=[VersionSummary.of(manifest) for manifest in manifests],
        aliases={alias.name: routes_of(alias) for alias in aliases.values()},
        inputs=[TensorInfo.model_validate(info) for info in shown.inputs],
        outputs=[TensorInfo.model_validate(info) for info in shown.outputs],
    )


@router.get("/models/{name}/versions", summary="A model's versions", responses=documented(400, 404))
async def list_versions(name: Name, here: Here, _caller: Reader) -> VersionList:
    """All of them, ascending."""
    manifests = side_by_side(lambda n: here.registry.manifest(name, n), here.registry.versions(name))
    return VersionList(versions=[VersionSummary.of(manifest) for manifest in manifests])


@router.get("/models/{name}/versions/{version}", summary="One version", responses=documented(400, 404))
async def show_version(name: Name, version: Number, here: Here, _caller: Reader) -> Manifest:
    """The whole manifest."""
    return Manifest.model_validate(here.registry.manifest(name, version))


def _main_manifest(alias: Alias) -> registry.Manifest:
    return max(alias.routes, key=lambda route: route.weight).manifest
