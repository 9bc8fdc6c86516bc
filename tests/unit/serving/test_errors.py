"""Errors -> HTTP status and body."""

import json

import pytest

from coldpress import errors
from coldpress.ort import OrtError, OrtInvalidInput
from coldpress.settings import SettingsError
from coldpress.store import StoreUnusable


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidRequest("x"), 400),
        (errors.Unauthorized("x"), 401),
        (errors.Forbidden("x"), 403),
        (errors.NotFound("x"), 404),
        (errors.MethodNotAllowed("x"), 405),
        (errors.Conflict("x"), 409),
        (errors.TooLarge("x"), 413),
        (errors.Unprocessable("x"), 422),
        (errors.Internal("x"), 500),
        (errors.Unsupported("x"), 501),
        (errors.Unavailable("x"), 503),
        (errors.ColdpressError("x"), 500),
        (SettingsError("x"), 500),
        (StoreUnusable("x"), 500),
        (OrtError(1, "x"), 500),
        (OrtInvalidInput(2, "x"), 400),
        (ValueError("x"), 500),
        (MemoryError(), 500),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    assert errors.status_of(error) == status


def test_every_error_of_ours_has_a_row() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    assert {kind for kind in kinds if issubclass(kind, Exception)} == {errors.ColdpressError, *errors.STATUS}


def test_a_body_holds_the_message_and_nothing_else() -> None:
    assert errors.body_of(errors.NotFound('no model "ä"')) == '{"error": "no model \\"ä\\""}'.encode()


def test_an_error_that_is_not_ours_keeps_its_details() -> None:
    body = errors.body_of(RuntimeError("password=hunter2"))
    assert json.loads(body) == {"error": "internal error; the log has the details"}


def test_a_message_with_half_a_surrogate_pair_is_still_answered() -> None:
    assert json.loads(errors.body_of(errors.InvalidRequest("no route /\ud800"))) == {"error": "no route /?"}
