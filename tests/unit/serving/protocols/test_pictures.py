"""JPEG and PNG bodies as pixels."""

import contextlib
import io
import math
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from coldpress.errors import InvalidRequest, TooLarge, Unsupported
from coldpress.protocols.media import tensors_of
from coldpress.protocols.pictures import decode
from coldpress.registry import TensorInfo
from coldpress.settings import Settings

COLOURS = TensorInfo("image", "UINT8", (-1, -1, -1, 3))
GRAY = TensorInfo("image", "UINT8", (-1, -1, 1))
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)


def file(pixels: Any = PIXELS, kind: str = "PNG", mode: str = "", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def array(tensor: Any) -> Any:
    return np.frombuffer(tensor.data, np.uint8).reshape(tensor.shape)


def test_a_png_is_its_pixels() -> None:
    tensor = decode(file(), COLOURS, Settings())
    assert (tensor.name, tensor.datatype, tensor.shape) == ("image", "UINT8", (1, 4, 6, 3))
    assert (array(tensor)[0] == PIXELS).all()


def test_a_jpeg_is_what_pillow_makes_of_it() -> None:
    body = file(kind="JPEG")
    wanted = np.asarray(Image.open(io.BytesIO(body)))
    assert (array(decode(body, COLOURS, Settings()))[0] == wanted).all()


@pytest.mark.parametrize("mode", ["P", "L", "RGBA", "CMYK", "1", "I;16"])
def test_every_kind_of_picture_becomes_what_the_model_takes(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    body = file(PIXELS[..., 0].astype(np.uint16), kind) if mode == "I;16" else file(kind=kind, mode=mode)
    assert decode(body, COLOURS, Settings()).shape == (1, 4, 6, 3)
    assert decode(body, GRAY, Settings()).shape == (4, 6, 1)


def test_gray_of_16_bits_is_scaled_to_8() -> None:
    shades = np.array([[0, 128, 129, 256, 300], [30000, 32639, 32896, 65279, 65535]], np.uint16)
    wanted = [[0, 0, 1, 1, 1], [117, 127, 128, 254, 255]]
    assert array(decode(file(shades), GRAY, Settings()))[..., 0].tolist() == wanted
    assert array(decode(file(shades), COLOURS, Settings()))[0, ..., 2].tolist() == wanted


def test_it_stands_as_a_viewer_shows_it() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    tensor = decode(file(kind="PNG", exif=turned), COLOURS, Settings())
    assert (array(tensor)[0] == np.rot90(PIXELS, -1)).all()


def test_bodies_of_images_are_pixels_to_a_model_that_takes_pixels(manifest: Any) -> None:
    row = ("image", "UINT8", (1, 4, 6, 3))
    (tensor,) = tensors_of("image/png", file(), manifest([row]), Settings())
    assert (array(tensor)[0] == PIXELS).all()
    # Bytes stay bytes, and an input of another shape is not for pictures.
    (raw,) = tensors_of("image/png", file(), manifest([("data", "UINT8", (-1,))]), Settings())
    assert bytes(raw.data) == file()
    with pytest.raises(InvalidRequest, match="not the bytes of image/png"):
        tensors_of("image/png", file(), manifest([("image", "UINT8", (4, 4, 6, 3))]), Settings())


def test_another_size_than_the_models_is_refused() -> None:
    fixed = TensorInfo("image", "UINT8", (-1, 8, 8, 3))
    with pytest.raises(InvalidRequest, match="has 6 x 4 pixels, the model takes 8 x 8"):
        decode(file(), fixed, Settings())


def test_too_many_pixels_are_refused_before_they_are_unpacked() -> None:
    bomb = file(np.zeros((3000, 3000), np.uint8))
    assert len(bomb) < 50_000
    with pytest.raises(TooLarge, match="3000 x 3000 pixels, 27000000 elements; at most 16777216"):
        decode(bomb, COLOURS, Settings())


@given(st.data())
def test_damaged_files_are_refused_in_words(data: Any) -> None:
    body = bytearray(file(kind=data.draw(st.sampled_from(["PNG", "JPEG"]))))
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(body[: data.draw(st.integers(0, len(body)))])
    # A flipped bit in the middle of a JPEG is still a picture.
    with contextlib.suppress(InvalidRequest, TooLarge):
        tensor = decode(damaged, COLOURS, Settings())
        assert len(tensor.data) == math.prod(tensor.shape)


def test_without_pillow_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    body = file()
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Unsupported, match=r"deploy with the parameter Pictures=on, or send the pixels"):
        decode(body, COLOURS, Settings())
