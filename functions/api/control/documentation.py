"""`/docs` and `/openapi.json`: the API explains itself, also without a network."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from coldpress import __version__

DESCRIPTION = """
Models served from cold functions. What is tagged "Data plane" asks models, the rest manages them.

1. `POST /uploads` with a model's name, then send the ONNX file to the `url` in the answer.
2. `GET /uploads/{id}` until it is `ready`: the file is now a version, and the alias points at it.
3. `POST /models/{model}/predict` answers predictions.

Every error is `{"error": "…"}`.
"""

TAGS = [
    {"name": "models", "description": "What is registered."},
    {"name": "aliases", "description": "Rolling forward and back: names that point at versions by weight."},
    {"name": "uploads", "description": "New versions."},
    {"name": "runs", "description": "Training."},
    {"name": "health", "description": "No API key needed."},
    {"name": "Data plane", "description": "Asking models, in three protocols. The predict function answers."},
]


def application() -> FastAPI:
    """A FastAPI application with nothing but its documentation.

    Its files are below `/docs/`, which the gateway routes here already.
    """
    app: FastAPI = FastAPIOffline(
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
    own_part = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            # Here: only who asks for the document waits for it.
            from control import dataplane

            dataplane.add_to(own_part())
        return own_part()

    # FastAPI's documented way to extend the document.
    app.openapi = whole  # type: ignore[method-assign]
    return app


def _operation_id(route: APIRoute) -> str:
    # Generated clients name their methods after it: `list_models`, not `list_models_models_get`.
    return route.name
