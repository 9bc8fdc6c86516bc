"""image-cnn, from digits to a pressed model that answers pictures of any size."""

import numpy as np
import pytest
import torch

from coldpress_build.config import override
from coldpress_build.data.pictures import digits
from coldpress_build.errors import ConfigurationError
from coldpress_build.export import TOLERANCE, check
from coldpress_build.progress import Progress
from coldpress_build.recipes.image_cnn import Config, ImageCnn, Network
from coldpress_build.serving import ServedModel
from coldpress_build.training.train import train


def test_digits_are_learned_and_served_at_any_size() -> None:
    recipe = ImageCnn()
    config = override(Config, ("classes=3,8", "epochs=4", "filters=8", "hidden=16", "average=0.9"))
    parts = recipe.split(recipe.load(None, config), config)
    assert recipe.baseline(parts).test > 0.9
    trained = train(recipe.prepare(parts, config), parts, config, Progress(silent=True))
    exported = trained.prepared.graph(trained.network)
    assert check(exported, trained, parts.validation) <= TOLERANCE
    model = ServedModel.open(exported.SerializeToString())
    (image,) = model.inputs
    assert (image.name, image.datatype, image.shape) == ("image", "UINT8", (-1, -1, -1, 1))
    pictures = parts.test.columns["image"]
    own = model.run({"image": pictures})["label"]
    assert (own == parts.test.answers).mean() > 0.9
    doubled = model.run({"image": pictures.repeat(2, 1).repeat(2, 2)})["label"]
    assert (doubled == own).mean() > 0.9


def test_a_resnet_exports_as_it_was_trained() -> None:
    config = override(Config, ("network=resnet18", "filters=4", "epochs=1", "max_rows=200", "restarts=1"))
    recipe = ImageCnn()
    data = digits()
    parts = recipe.split(data, config)
    prepared = recipe.prepare(parts, config)
    network = prepared.build(1.0)
    # Statistics of batch normalisation that are not those it starts with.
    network.train()(torch.from_numpy(parts.train.columns["image"]))
    network.eval()
    served = ServedModel.open(prepared.graph(network).SerializeToString())
    images = parts.test.columns["image"]
    with torch.inference_mode():
        wanted = network(torch.from_numpy(images)).softmax(-1).numpy()
    assert np.abs(served.run({"image": images})["scores"] - wanted).max() < 1e-5


def test_training_pictures_are_moved_and_mirrored() -> None:
    torch.manual_seed(0)
    image = np.zeros((200, 8, 8, 1), np.uint8)
    image[:, 3, 2] = 255
    network = Network(image, 2, override(Config, ("shift=0.2", "flip=true"))).train()
    moved = network._moved(torch.from_numpy(image).float().permute(0, 3, 1, 2))
    bright = {(row, column) for _, _, row, column in moved.nonzero().tolist()}
    # At most 2 pixels from where it is, or from where its mirror image is.
    assert {row for row, _ in bright} == {1, 2, 3, 4, 5}
    assert {column for _, column in bright} == {0, 1, 2, 3, 4, 5, 6, 7}
    assert (moved.sum((1, 2, 3)) >= 255).all()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("network=vgg", "network=vgg is unknown"),
        ("size=4", "size=4 must be from 8"),
        ("shift=0.9", "shift=0.9"),
    ],
)
def test_settings_that_cannot_be(setting: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        override(Config, (setting,))
