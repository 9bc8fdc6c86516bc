"""The transformer: what fills up a batch must never count, and where a word stands must."""

import numpy as np
import pytest
import torch

from coldpress_build.config import override
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.engine import Epoch, Fit, Trained
from coldpress_build.errors import ConfigurationError
from coldpress_build.export import check
from coldpress_build.recipes.encoder import Encoder
from coldpress_build.recipes.text_transformer import Config, TextTransformer
from coldpress_build.serving import ServedModel
from coldpress_build.text.tokeniser import PAD


def encoder() -> Encoder:
    torch.manual_seed(0)
    network = Encoder(20, 3, positions=6, width=8, heads=2, layers=2, dropout=0.1, word_dropout=0.1).eval()
    for weight in network.parameters():  # to begin with, its layers do nothing
        torch.nn.init.normal_(weight, std=0.5)
    return network


def test_pad_counts_nowhere() -> None:
    network = encoder()
    ids = torch.tensor([[3, 4, 5]])
    expected = network(ids)
    for padded in ([3, 4, 5, PAD, PAD], [PAD, 3, PAD, PAD, 4, 5], [3, PAD, 4, PAD, 5]):
        torch.testing.assert_close(network(torch.tensor([padded])), expected, atol=1e-5, rtol=1e-5)
    together = network(torch.tensor([[3, 4, 5, PAD, PAD, PAD], [7, 8, 9, 10, 11, 12]]))
    torch.testing.assert_close(together[:1], expected, atol=1e-5, rtol=1e-5)


def test_the_order_of_words_counts() -> None:
    network = encoder()
    found = network(torch.tensor([[3, 4, 5], [5, 4, 3], [4, 3, 5]]))
    assert torch.cdist(found, found).triu(1)[[0, 0, 1], [1, 2, 2]].min() > 1e-3


def test_a_text_without_words_and_one_longer_than_its_positions_have_answers() -> None:
    network = encoder()
    assert network(torch.full((1, 4), PAD)).isfinite().all()
    assert network(torch.arange(2, 20)[None]).isfinite().all()


def test_to_begin_with_it_is_a_mean_of_words() -> None:
    torch.manual_seed(0)
    plain = Encoder(20, 3, positions=6, width=8, heads=2, layers=2, dropout=0, word_dropout=0).eval()
    mean = (plain.embedding.weight[3:6] + plain.position.weight[:3]).mean(0)
    torch.testing.assert_close(plain(torch.tensor([[3, 4, 5]])), plain.classify(mean)[None])


def test_the_graph_answers_as_the_network_does() -> None:
    generator = np.random.default_rng(0)
    texts = [
        " ".join(f"w{n}" for n in generator.integers(0, 30, generator.integers(0, 20))) for _ in range(60)
    ]
    texts[:4] = ["", "-- , w1 --w2", "\n", "unknown"]
    data = Dataset.labelled("made", {"text": np.array(texts, object)}, ["a", "b"] * 30)
    config = override(Config, ["width=8", "heads=2", "max_words=12"])
    ready = TextTransformer().prepare(Parts(data, data, data), config)
    network = ready.build(1.0).eval()
    torch.manual_seed(0)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    run = Fit(0, Epoch(1, 0.0, 0.0, {}, 1, 0.1), (), 0.0)
    model = ready.graph(network)
    assert check(model, Trained((run,), run, 0, network, ready), data) <= 1e-5
    served = ServedModel.open(model.SerializeToString())
    alone = served.run({"text": np.array(texts[1:2], object)})["scores"]
    together = served.run({"text": np.array([texts[1], "w1-w2 " * 50], object)})["scores"]
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)


def test_widths_that_heads_cannot_share_are_refused() -> None:
    with pytest.raises(
        ConfigurationError, match="width=10 is no multiple of heads=4; good are width=64 and heads=4"
    ):
        Config(width=10)
