"""`/docs` and `/openapi.json`: the API explains itself, also without a network."""

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from coldpress import __version__

DESCRIPTION = """
Models served from cold functions: this is the control plane.

1. `POST /uploads` with a model's name, then send the ONNX file to the `url` in the answer.
2. `GET /uploads/{id}` until it is `ready`: the file is now a version, and the alias points at it.
3. `POST /models/{name}/predict` (data plane) answers predictions.

Every error is `{"error": "…"}`.
"""

TAGS = [
    {"name": "models", "description": "What is registered."},
    {"name": "aliases", "description": "Rolling forward and back: names that point at versions by weight."},
    {"name": "uploads", "description": "New versions."},
    {"name": "health", "description": "No API key needed."},
]


def application() -> FastAPI:
    """A FastAPI application with nothing but its documentation.

    Its files are below `/docs/`, which the gateway routes here already.
    """
    return FastAPIOffline(
        title="Coldpress",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url="/docs",
        redoc_url=None,
        static_url="/docs/files",
        # Swagger UI would otherwise ask validator.swagger.io about the document.
        swagger_ui_parameters={"validatorUrl": None, "persistAuthorization": True},
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        # curl and small clients forget the content type; keys travel in headers, so no browser
        # can be tricked into sending them along.
        strict_content_type=False,
    )


def _operation_id(route: APIRoute) -> str:
    # Generated clients name their methods after it: `list_models`, not `list_models_models_get`.
    return route.name
