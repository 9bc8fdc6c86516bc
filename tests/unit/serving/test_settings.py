"""`COLDPRESS_*` -> settings."""

import pytest

from coldpress.settings import Settings, SettingsError, from_environment


def test_nothing_set_gives_the_defaults() -> None:
    assert from_environment({"PATH": "/bin", "AWS_REGION": "eu-west-1"}) == Settings()


def test_every_field_is_read_with_its_type() -> None:
    environment = {
        "COLDPRESS_STORE": "s3://bucket",
        "COLDPRESS_AUTH": "gateway",
        "COLDPRESS_BASE_PATH": "/prod",
        "COLDPRESS_ORT_LIBRARY": "/opt/lib/libonnxruntime.so",
        "COLDPRESS_MEMORY_MB": "1769",
        "COLDPRESS_THREADS": "2",
        "COLDPRESS_MODEL_CACHE_BYTES": "1000",
        "COLDPRESS_DISK_CACHE_BYTES": "3000",
        "COLDPRESS_PRELOAD": "a,b",
        "COLDPRESS_SHADOW": "on",
        "COLDPRESS_ALIAS_SECONDS": "0.5",
        "COLDPRESS_KEY_SECONDS": "0",
        "COLDPRESS_MAX_BODY_BYTES": "7",
        "COLDPRESS_MAX_JSON_DEPTH": "8",
        "COLDPRESS_MAX_ELEMENTS": "9",
        "COLDPRESS_MAX_STRING_BYTES": "13",
        "COLDPRESS_MAX_INPUTS": "14",
        "COLDPRESS_MAX_ROWS": "10",
        "COLDPRESS_MAX_MODEL_BYTES": "11",
        "COLDPRESS_UPLOAD_SECONDS": "12",
        "COLDPRESS_UPLOAD_SECRET": "hush",
        "COLDPRESS_TRAINING": "coldpress-dev",
    }
    assert {f"COLDPRESS_{field.upper()}" for field in Settings._fields} == set(environment)
    assert from_environment(environment) == Settings(
        "s3://bucket",
        "gateway",
        "/prod",
        "/opt/lib/libonnxruntime.so",
        1769,
        2,
        1000,
        3000,
        "a,b",
        "on",
        0.5,
        0.0,
        7,
        8,
        9,
        13,
        14,
        10,
        11,
        12,
        "hush",
        "coldpress-dev",
    )


def test_variables_of_the_command_line_are_left_alone() -> None:
    environment = {
        "COLDPRESS_URL": "u",
        "COLDPRESS_API_KEY": "k",
        "COLDPRESS_STATE": "s",
        "COLDPRESS_CACHE": "c",
    }
    assert from_environment(environment) == Settings()


def test_an_unknown_variable_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError) as caught:
        from_environment({"COLDPRESS_MAX_BODY": "7"})
    assert str(caught.value) == "COLDPRESS_MAX_BODY is no setting; the settings are " + ", ".join(
        f"COLDPRESS_{field.upper()}" for field in Settings._fields
    )


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("THREADS", "two", "COLDPRESS_THREADS='two' is not a whole number from 0; the default is 0"),
        ("THREADS", "1.5", "COLDPRESS_THREADS='1.5' is not a whole number from 0; the default is 0"),
        ("MAX_ROWS", "-1", "COLDPRESS_MAX_ROWS='-1' is not a whole number from 0; the default is 4096"),
        ("MAX_ROWS", "", "COLDPRESS_MAX_ROWS='' is not a whole number from 0; the default is 4096"),
        ("KEY_SECONDS", "nan", "COLDPRESS_KEY_SECONDS='nan' is not a number from 0; the default is 60.0"),
        ("KEY_SECONDS", "inf", "COLDPRESS_KEY_SECONDS='inf' is not a number from 0; the default is 60.0"),
        (
            "ALIAS_SECONDS",
            "-0.1",
            "COLDPRESS_ALIAS_SECONDS='-0.1' is not a number from 0; the default is 5.0",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error(key: str, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_environment({f"COLDPRESS_{key}": text})
    assert str(caught.value) == message


@pytest.mark.parametrize("value", ["", "none", "KEYS", "off"])
def test_callers_are_never_left_unchecked_by_a_misspelt_setting(value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_environment({"COLDPRESS_AUTH": value})
    assert str(caught.value) == f"COLDPRESS_AUTH={value!r} is none of keys, gateway"
