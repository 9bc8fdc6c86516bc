"""Rolling forward and back."""

from typing import Any

import pytest

PROD = "/models/sentiment/aliases/prod"


@pytest.fixture
def three_versions(register: Any) -> None:
    for version in (1, 2, 3):
        register("sentiment", version)


def put(api: Any, *routes: tuple[object, object], **how: Any) -> Any:
    rows = [{"version": version, "weight": weight} for version, weight in routes]
    return api.call("PUT", PROD, {"routes": rows}, **how)


@pytest.mark.usefixtures("three_versions")
def test_move_canary_and_roll_back(api: Any) -> None:
    answer = put(api, (1, 1))
    assert (answer.status, answer.json) == (
        200,
        {
            "model": "sentiment",
            "alias": "prod",
            "routes": [{"version": 1, "weight": 1.0}],
            "shadow": None,
            "history": [],
        },
    )

    answer = put(api, (1, 9), (2, 1))
    assert answer.json["routes"] == [{"version": 1, "weight": 0.9}, {"version": 2, "weight": 0.1}]
    assert [row["routes"] for row in answer.json["history"]] == [[{"version": 1, "weight": 1.0}]]

    answer = api.call("POST", f"{PROD}/rollback")
    assert answer.status == 200
    assert answer.json["routes"] == [{"version": 1, "weight": 1.0}]
    assert answer.json == api.call("GET", PROD, key="reader").json
    assert [route.version for route in api.registry.alias("sentiment").routes] == [1]


@pytest.mark.usefixtures("three_versions")
def test_a_move_from_a_position_that_was_left_is_refused(api: Any) -> None:
    put(api, (1, 1))
    seen = api.call("GET", PROD, key="reader").headers["etag"]
    assert put(api, (2, 1), headers={"if-match": seen}).status == 200
    late = put(api, (3, 1), headers={"if-match": seen})
    assert late.status == 409
    assert late.json == {"error": "alias 'prod' of 'sentiment' was moved by somebody else; look again"}
    # The same move again, its answer lost, is no conflict with itself.
    assert put(api, (2, 1), headers={"if-match": seen}).status == 200


@pytest.mark.usefixtures("three_versions")
def test_the_same_put_again_keeps_the_way_back(api: Any) -> None:
    put(api, (1, 1))
    first = put(api, (1, 3), (2, 1))
    again = put(api, (2, 0.25), (1, 0.75))
    assert (again.status, again.json) == (200, first.json)
    assert api.call("POST", f"{PROD}/rollback").json["routes"] == [{"version": 1, "weight": 1.0}]


@pytest.mark.usefixtures("three_versions")
def test_every_move_is_logged_with_the_key_that_did_it(api: Any, logged: Any) -> None:
    put(api, (3, 1))
    (moved,) = logged()
    assert {key: moved[key] for key in ("level", "message", "model", "alias", "routes", "request_id")} == {
        "level": "INFO",
        "message": "alias moved",
        "model": "sentiment",
        "alias": "prod",
        "routes": {"3": 1.0},
        "request_id": "BXqYKhCfliAEPhA=",
    }
    assert moved["key"].startswith("key-")
    assert api.admin not in str(moved)


@pytest.mark.usefixtures("three_versions")
@pytest.mark.parametrize(
    ("routes", "status", "error"),
    [
        (
            [],
            400,
            "routes should have at least 1 item after validation, not 0, got []",
        ),
        ([(1, 1), (1, 2)], 400, "routes names a version twice; give each version one weight"),
        ([(9, 1)], 404, "model 'sentiment' has no version 9"),
        ([(0, 1)], 400, "routes[0].version should be greater than or equal to 1, got 0"),
        ([("1", 1)], 400, "routes[0].version should be a valid integer, got '1'"),
        ([(True, 1)], 400, "routes[0].version should be a valid integer, got True"),
        ([(1, 0)], 400, "routes[0].weight should be greater than or equal to 0.000001, got 0"),
        ([(1, 1), (2, -1)], 400, "routes[1].weight should be greater than or equal to 0.000001, got -1"),
        ([(1, float("nan"))], 400, "routes[0].weight should be a finite number, got nan"),
        ([(1, float("inf"))], 400, "routes[0].weight should be a finite number, got inf"),
        ([(10**10, 1)], 400, "routes[0].version should be less than or equal to 1000000000, got 10000000000"),
        (
            [(1, 1.0), (2, 1e-6)],
            400,
            "version 2 would get 9.99999e-07 of the requests, the least is 0.000001; "
            "give it a larger weight, or leave it out",
        ),
        (
            [(1, 1e6), (3, 1e-6)],
            400,
            "version 3 would get 1e-12 of the requests, the least is 0.000001; "
            "give it a larger weight, or leave it out",
        ),
    ],
)
def test_refused_moves_change_nothing(
    api: Any, routes: list[tuple[object, object]], status: int, error: str
) -> None:
    put(api, (2, 1))
    answer = put(api, *routes)
    assert (answer.status, answer.json) == (status, {"error": error})
    assert api.call("GET", PROD).json["routes"] == [{"version": 2, "weight": 1.0}]


@pytest.mark.usefixtures("three_versions")
def test_the_smallest_share_that_is_taken_can_be_read_and_left(api: Any) -> None:
    put(api, (1, 1))
    smallest = [{"version": 1, "weight": 0.999999}, {"version": 2, "weight": 1e-6}]
    answer = put(api, (1, 999_999), (2, 1))
    assert (answer.status, answer.json["routes"]) == (200, smallest)
    assert api.call("GET", PROD).json["routes"] == smallest
    assert api.call("POST", f"{PROD}/rollback").json["routes"] == [{"version": 1, "weight": 1.0}]


@pytest.mark.usefixtures("three_versions")
def test_a_share_below_the_limit_that_is_stored_already_is_told(api: Any) -> None:
    api.registry.move("sentiment", "prod", {1: 1e6, 2: 1e-6}, "t1")
    api.registry.move("sentiment", "prod", {3: 1}, "t2")
    for path in (PROD, "/models/sentiment", "/models"):
        assert api.call("GET", path).status == 200
    back = api.call("POST", f"{PROD}/rollback")
    assert (back.status, back.json["routes"][1]) == (200, {"version": 2, "weight": pytest.approx(1e-12)})
    assert [row["aliases"]["prod"] for row in api.call("GET", "/models").json["models"]] == [
        back.json["routes"]
    ]


def test_roll_back_without_a_former_position(api: Any, register: Any) -> None:
    register("sentiment", 1, prod=True)
    answer = api.call("POST", f"{PROD}/rollback")
    assert (answer.status, answer.json) == (
        409,
        {"error": "alias 'prod' of 'sentiment' has never pointed anywhere else"},
    )


def test_no_such_alias(api: Any, register: Any) -> None:
    register("sentiment", 1)
    for method, path in (("GET", PROD), ("POST", f"{PROD}/rollback")):
        answer = api.call(method, path)
        assert (answer.status, answer.json) == (404, {"error": "model 'sentiment' has no alias 'prod'"})
    answer = api.call("GET", "/models/sentiment/aliases/Prod")
    assert answer.status == 400
    assert answer.json["error"].startswith("'Prod' cannot name an alias")


@pytest.mark.usefixtures("three_versions")
def test_only_admins_move(api: Any) -> None:
    answer = put(api, (1, 1), key="reader")
    assert answer.status == 403
    assert answer.json["error"].endswith("has the scopes read; this needs admin")
    assert api.call("POST", f"{PROD}/rollback", key="reader").status == 403
    assert api.registry.aliases("sentiment") == []


@pytest.mark.usefixtures("three_versions")
def test_a_shadow_begins_and_ends(make_api: Any) -> None:
    api = make_api(shadow="on")
    put(api, (1, 1))
    answer = api.call("PUT", f"{PROD}/shadow", {"version": 2})
    assert (answer.status, answer.json["shadow"]) == (200, 2)
    assert answer.json["routes"] == [{"version": 1, "weight": 1.0}]
    assert put(api, (3, 1)).json["shadow"] == 2
    assert api.call("GET", PROD, key="reader").json["shadow"] == 2
    assert api.call("DELETE", f"{PROD}/shadow").json["shadow"] is None
    assert api.call("DELETE", f"{PROD}/shadow").status == 200


@pytest.mark.parametrize(
    ("body", "key", "status", "words"),
    [
        ({"version": 1}, "admin", 409, "version 1 answers for alias 'prod'"),
        ({"version": 9}, "admin", 404, "no version 9"),
        ({"version": 0}, "admin", 400, "version"),
        ({}, "admin", 400, "version"),
        ({"version": 2}, "reader", 403, "admin"),
    ],
)
@pytest.mark.usefixtures("three_versions")
def test_shadows_that_cannot_be(make_api: Any, body: object, key: str, status: int, words: str) -> None:
    api = make_api(shadow="on")
    put(api, (1, 1))
    answer = api.call("PUT", f"{PROD}/shadow", body, key=key)
    assert answer.status == status
    assert words in answer.json["error"]


@pytest.mark.usefixtures("three_versions")
def test_a_deployment_without_shadows_says_how_to_get_them(api: Any) -> None:
    put(api, (1, 1))
    answer = api.call("PUT", f"{PROD}/shadow", {"version": 2})
    assert (answer.status, answer.json) == (
        409,
        {"error": "shadows are off in this deployment: deploy it with the parameter Shadow=on"},
    )
