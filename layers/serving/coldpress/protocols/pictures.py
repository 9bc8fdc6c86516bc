"""JPEG and PNG bodies as the pixels that a model takes.

ONNX has an operator for it (ImageDecoder), ONNX Runtime has none for a CPU, and the one of
onnxruntime-extensions 0.15.2 ends the process at the first damaged JPEG. So Pillow does it, from an optional
layer; it is imported by the first request that brings a picture.
"""

from coldpress.errors import InvalidRequest, TooLarge, Unsupported
from coldpress.registry import TensorInfo
from coldpress.settings import Settings
from coldpress.tensors import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG")
MODES = {1: "L", 3: "RGB"}
"""Pillow's names for pixels of so many channels."""


def takes_pixels(info: TensorInfo) -> bool:
    """Whether an input is a picture: UINT8 [height, width, channels], or a batch of such, gray or colours."""
    rank = len(info.shape)
    return info.datatype == "UINT8" and rank in (3, 4) and info.shape[-1] in MODES and _one(info)


def decode(body: bytes, info: TensorInfo, settings: Settings) -> Tensor:
    """A JPEG or PNG file as the input `info`; a batch of one where that has a batch.

    Raises:
        InvalidRequest: no such file, or a picture of another size than the model takes.
        TooLarge: more pixels than `max_elements` allows.
        Unsupported: Pillow is not installed here.
    """
    height, width, channels = info.shape[-3:]
    data, shape = pixels(body, channels, settings.max_elements)
    if height not in (-1, shape[0]) or width not in (-1, shape[1]):
        raise InvalidRequest(
            f"the picture has {shape[1]} x {shape[0]} pixels, the model takes {width} x {height} "
            "(-1 is variable); resize it before it is sent"
        )
    return Tensor(info.name, "UINT8", (1,) * (len(info.shape) - 3) + shape, data)


def pixels(body: bytes, channels: int, most: int) -> tuple[bytes, tuple[int, int, int]]:
    """The pixels of a JPEG or PNG file, as a viewer shows it, and their shape [height, width, channels].

    Raises: see `decode`; `most` is the largest number of elements.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise Unsupported(
            "pictures are not decoded here: deploy with the parameter Pictures=on, or send the pixels as "
            "application/x-npy"
        ) from None
    import io

    try:
        with Image.open(io.BytesIO(body), formats=FORMATS) as picture:
            # Before the pixels are unpacked: a small file can hold more of them than there is memory.
            elements = picture.width * picture.height * channels
            if elements > most:
                raise TooLarge(
                    f"the picture has {picture.width} x {picture.height} pixels, {elements} elements; at "
                    f"most {most} are taken (COLDPRESS_MAX_ELEMENTS)"
                )
            upright = eight_bits(ImageOps.exif_transpose(picture)).convert(MODES[channels])
    except UnidentifiedImageError:
        raise InvalidRequest(f"the body of {len(body)} bytes is no JPEG or PNG file") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidRequest(f"the body is no whole JPEG or PNG file: {error}") from None
    return upright.tobytes(), (upright.height, upright.width, channels)


def eight_bits(picture: "Image") -> "Image":
    """Gray of 16 bits as gray of 8, white as white; other pictures as they are. Training uses it too."""
    if not picture.mode.startswith("I;16"):
        return picture
    # Pillow's own conversion makes everything above 255 white.
    return picture.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")


def _one(info: TensorInfo) -> bool:
    return len(info.shape) == 3 or info.shape[0] in (-1, 1)
