"""Sequences of different lengths: what fills them up must never count."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from coldpress_build.config import override
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.sequences import padded, read_sequences
from coldpress_build.data.split import Parts
from coldpress_build.engine import Epoch, Fit, Trained
from coldpress_build.errors import ConfigurationError, DataError
from coldpress_build.export import check
from coldpress_build.recipes.sequence_rnn import Config, SequenceRnn
from coldpress_build.serving import ServedModel


def made(rows: int = 40) -> Dataset:
    generator = np.random.default_rng(0)
    sequences = [generator.normal(5, 2, (steps, 3)) for steps in generator.integers(1, 9, rows)]
    return Dataset.labelled("made", padded(sequences), [f"c{row % 3}" for row in range(rows)])


def untrained(*pairs: str) -> Trained:
    data = made()
    ready = SequenceRnn().prepare(Parts(data, data, data), override(Config, ["width=8", *pairs]))
    torch.manual_seed(0)
    run = Fit(0, Epoch(1, 0.0, 0.0, {}, 1, 0.1), (), 0.0)
    return Trained((run,), run, 0, ready.build(1.0).eval(), ready)


def graph_of(trained: Trained) -> onnx.ModelProto:
    return trained.prepared.graph(trained.network)


# ONNX's RNN is written out by hand, the others by torch; LSTM differs from GRU in nothing of ours.
@pytest.fixture(scope="module", params=[("kind=rnn",), ("kind=gru", "layers=2")], ids=["rnn", "gru"])
def both(request: pytest.FixtureRequest) -> tuple[Trained, onnx.ModelProto]:
    trained = untrained(*request.param)
    return trained, graph_of(trained)


def test_the_graph_answers_as_the_network_does(both: tuple[Trained, onnx.ModelProto]) -> None:
    trained, model = both
    assert check(model, trained, made()) <= 1e-5
    served = ServedModel.open(model.SerializeToString())
    specs = [(one.name, one.datatype, one.shape, one.dimensions[:2]) for one in served.inputs]
    assert specs == [
        ("sequence", "FP32", (-1, -1, 3), ("batch", "time")),
        ("length", "INT64", (-1,), ("batch",)),
    ]
    assert np.isfinite(served.run(trained.prepared.warm_up)["scores"]).all()


def test_what_stands_behind_a_sequence_changes_nothing(both: tuple[Trained, onnx.ModelProto]) -> None:
    trained, model = both
    served = ServedModel.open(model.SerializeToString())
    sequence, length = made().columns["sequence"], made().columns["length"]
    behind = np.arange(sequence.shape[1]) >= length[:, None]
    other = np.where(behind[:, :, None], 1e3, sequence).astype(np.float32)
    wider = np.concatenate([sequence, np.full((len(sequence), 30, 3), -7, np.float32)], 1)
    expected = served.run({"sequence": sequence, "length": length})["scores"]
    for changed in (other, wider):
        answer = served.run({"sequence": changed, "length": length})["scores"]
        np.testing.assert_allclose(answer, expected, atol=1e-6)
        network = trained.network(torch.from_numpy(changed), torch.from_numpy(length)).softmax(-1)
        np.testing.assert_allclose(network.detach().numpy(), expected, atol=1e-6)
    for row in range(5):  # alone, and no longer than it is
        steps = int(length[row])
        alone = served.run({"sequence": sequence[row : row + 1, :steps], "length": length[row : row + 1]})
        np.testing.assert_allclose(alone["scores"][0], expected[row], atol=1e-6)


def test_what_stands_inside_a_sequence_counts(both: tuple[Trained, onnx.ModelProto]) -> None:
    served = ServedModel.open(both[1].SerializeToString())
    sequence = np.zeros((3, 4, 3), np.float32)
    sequence[1, 0], sequence[2, 3] = 5, 5  # the first step, and the last
    answer = served.run({"sequence": sequence, "length": np.full(3, 4)})["scores"]
    assert np.abs(answer[1:] - answer[0]).max(1).min() > 1e-3
    shorter = served.run({"sequence": sequence, "length": np.full(3, 3)})["scores"]
    np.testing.assert_allclose(shorter[2], shorter[0], atol=1e-6)


def test_lengths_that_cannot_be_are_taken_as_the_nearest_that_can() -> None:
    network = untrained("kind=lstm").network
    sequence = torch.randn(2, 4, 3)
    found = network(sequence, torch.tensor([0, 99]))
    torch.testing.assert_close(found, network(sequence, torch.tensor([1, 4])))


def test_forwards_only_has_half_the_layers() -> None:
    one, two = (
        sum(
            weight.numel()
            for name, weight in untrained(f"both={both}").network.named_parameters()
            if "_l0" in name
        )
        for both in ("no", "yes")
    )
    assert two == 2 * one


def test_middle_and_spread_are_of_the_sequences_own_steps() -> None:
    network = untrained().network
    sequence, length = made().columns["sequence"], made().columns["length"]
    steps = np.concatenate([row[:n] for row, n in zip(sequence, length, strict=True)])
    np.testing.assert_allclose(network.middle.numpy(), steps.mean(0), rtol=1e-5)  # type: ignore[union-attr]
    np.testing.assert_allclose(network.spread.numpy(), steps.std(0), rtol=1e-5)  # type: ignore[union-attr]


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="kind=cnn is unknown; it is one of rnn, gru, lstm"):
        Config(kind="cnn")


def write(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_json_lines_have_sequences_of_any_length(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"sequence": [[1, 2], [3, 4]], "label": "a"},
        {"sequence": [[5, 6]], "label": "b"},
        {"sequence": [[7, 8]], "label": None},
    )
    data = read_sequences(path, "")
    assert data.columns["sequence"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [0, 0]]]
    assert (data.columns["length"].tolist(), data.classes) == ([2, 1], ("a", "b"))
    assert data.notes == ("1 rows without label left out",)
    flat = read_sequences(write(tmp_path, {"sequence": [1, 2], "y": 1}, {"sequence": [3], "y": 2}), "y")
    assert (flat.columns["sequence"].shape, flat.classes) == ((2, 2, 1), ("1", "2"))


def test_npz_has_sequences_beside_their_lengths(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, sequence=np.ones((2, 3, 4)), length=[3, 1], label=np.array(["a", "b"]))
    data = read_sequences(path, "")
    assert data.columns["sequence"][1].sum(1).tolist() == [4, 0, 0]
    np.savez(path, sequence=np.ones((2, 3, 4)), length=[4, 1], label=np.array(["a", "b"]))
    with pytest.raises(DataError, match="from 1 to the longest and is from 1 to 4"):
        read_sequences(path, "")


def test_sequences_without_an_answer_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, sequence=np.ones((2, 3, 4)), length=[3, 1])
    with pytest.raises(DataError, match=r"no column 'label' .*; it has 'sequence', 'length'"):
        read_sequences(path, "")
    with pytest.raises(DataError, match=r"no column 'label' .*; it has no other"):
        read_sequences(write(tmp_path, {"sequence": [1, 2]}, {"sequence": [3]}), "")


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        ("x", r"the sequence of row 2 is no list of steps such as \[\[0.5, 1.0\], \[0.25, 2.0\]\]"),
        ([], "the sequence of row 2 is no list of steps"),
        ([[1], [1, 2]], "the sequence of row 2 is no list of steps"),
        ([[1, 2, 3]], r"the sequence of row 2 is \[1, 3\] with 0 missing values; each needs 2 finite"),
        ([[1, None]], r"the sequence of row 2 is \[1, 2\] with 1 missing values"),
    ],
)
def test_sequences_that_are_none_are_errors(tmp_path: Path, sequence: object, message: str) -> None:
    path = write(tmp_path, {"sequence": [[1, 2]], "label": "a"}, {"sequence": sequence, "label": "b"})
    with pytest.raises(DataError, match=message):
        read_sequences(path, "")
