"""Columns of a table through the network and through the graph: both see the same."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from coldpress_build.config import override
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.packaged import PACKAGED
from coldpress_build.data.split import Parts
from coldpress_build.engine import Epoch, Fit, Trained
from coldpress_build.errors import BuildError, ConfigurationError, DataError
from coldpress_build.export import check
from coldpress_build.extras import Extras
from coldpress_build.recipes.features import Features, joined
from coldpress_build.recipes.recipe import Prepared
from coldpress_build.recipes.regressor import Regressor
from coldpress_build.recipes.tabular_mlp import Config, TabularMlp
from coldpress_build.serving import ServedModel


def mixed(count: int = 220) -> Dataset:
    """Numbers with gaps, a constant, a pair of numbers, true or false, and categories with rare names."""
    generator = np.random.default_rng(0)
    age = generator.normal(40, 10, count).astype(np.float32)
    age[::7] = np.nan
    columns = {
        "town": np.array([f"t{n}" for n in generator.geometric(0.4, count)], object),
        "age": age,
        "index": np.full(count, 3, np.float32),  # torch names values of the network so, too
        "pair": generator.normal(1e4, 1, (count, 2)).astype(np.float32),
        "member": generator.random(count) < 0.5,
    }
    return Dataset.labelled("mixed", columns, [f"c{n}" for n in generator.integers(0, 3, count)])


def prepared(data: Dataset, *pairs: str) -> Prepared:
    recipe = TabularMlp() if data.classes else Regressor()
    return recipe.prepare(Parts(data, data, data), override(recipe.config, pairs))


def untrained(data: Dataset, *pairs: str) -> tuple[Trained, onnx.ModelProto]:
    ready = prepared(data, *pairs)
    torch.manual_seed(0)
    network = ready.build(1.0).eval()
    run = Fit(0, Epoch(1, 0.0, 0.0, {}, 1, 0.1), (), 0.0)
    return Trained((run,), run, 0, network, ready), ready.graph(network)


@pytest.fixture(scope="module")
def exported() -> tuple[Trained, onnx.ModelProto]:
    return untrained(mixed())


def test_each_column_is_an_input_by_its_name(exported: tuple[Trained, onnx.ModelProto]) -> None:
    served = ServedModel.open(exported[1].SerializeToString())
    specs = [(one.name, one.datatype, one.shape, one.dimensions[0]) for one in served.inputs]
    assert specs == [
        ("town", "BYTES", (-1,), "batch"),
        ("age", "FP32", (-1,), "batch"),
        ("index", "FP32", (-1,), "batch"),
        ("pair", "FP32", (-1, 2), "batch"),
        ("member", "BOOL", (-1,), "batch"),
    ]
    assert [(one.name, one.shape) for one in served.outputs] == [("label", (-1,)), ("scores", (-1, 3))]


def test_the_graph_answers_as_the_network_does(exported: tuple[Trained, onnx.ModelProto]) -> None:
    trained, model = exported
    assert check(model, trained, mixed()) <= 1e-5
    served = ServedModel.open(model.SerializeToString())
    assert np.isfinite(served.run(trained.prepared.warm_up)["scores"]).all()


def test_missing_numbers_and_unknown_categories_have_finite_answers(
    exported: tuple[Trained, onnx.ModelProto],
) -> None:
    trained, model = exported
    rows = mixed().take(range(2))
    odd = {**rows.columns, "town": np.array(["nowhere", ""], object), "index": np.full(2, np.nan, np.float32)}
    answer = ServedModel.open(model.SerializeToString()).run(odd)
    np.testing.assert_allclose(answer["scores"], trained.scores(replace(rows, columns=odd)), atol=1e-6)
    assert np.isfinite(answer["scores"]).all()


def test_what_is_learned_is_of_the_training_part() -> None:
    found = Features.learn(mixed(), 20)
    assert found.numbers == {"age": 1, "index": 1, "pair": 2, "member": 1}
    assert all(list(mixed().columns["town"]).count(name) >= 20 for name in found.categories["town"])
    assert found.gaps == (0,)
    assert found.spreads[1] == 1.0
    age = mixed().columns["age"]
    assert found.medians[0] == pytest.approx(np.nanmedian(age))
    assert found.means[0] == pytest.approx(np.where(np.isnan(age), np.nanmedian(age), age).mean())


def test_two_classes_have_one_logit_and_any_sizes_of_layers() -> None:
    two = Dataset.labelled(
        "two", {"a": np.arange(8.0, dtype=np.float32), "b": np.ones(8, np.float32)}, list("xy" * 4)
    )
    network = prepared(two, "hidden=1000,500,250,100").build(1.0)
    shapes = [tuple(layer.weight.shape) for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    assert shapes == [(1000, 2), (500, 1000), (250, 500), (100, 250), (1, 100)]
    logits = network.eval()(torch.zeros(3, 2))
    assert logits.shape == (3, 2)
    assert torch.equal(logits[:, 0], torch.zeros(3))
    smaller = prepared(two, "hidden=1000,500").build(0.1)
    assert [layer.out_features for layer in smaller.modules() if isinstance(layer, torch.nn.Linear)] == [
        100,
        50,
        1,
    ]


def test_names_alone_will_do_without_a_hidden_layer() -> None:
    data = replace(mixed(), columns={"town": mixed().columns["town"]})
    trained, model = untrained(data, "hidden=")
    assert check(model, trained, data) <= 1e-5


def test_values_are_those_of_the_target_in_its_own_unit() -> None:
    data = PACKAGED["diabetes"]()
    trained, model = untrained(data, "hidden=4")
    assert check(model, trained, data) <= 1e-5
    (_, target), *_ = trained.prepared.batches(data).loader(len(data))
    assert (float(target.mean()), float(target.std())) == (
        pytest.approx(0, abs=1e-6),
        pytest.approx(1, abs=0.01),
    )
    served = ServedModel.open(model.SerializeToString())
    assert [(one.name, one.shape) for one in served.outputs] == [("value", (-1,))]
    value = served.run(trained.prepared.table(data))["value"]
    assert abs(float(value.mean()) - data.target.mean()) < data.target.std()


def around(shift: float, factor: float) -> tuple[Trained, onnx.ModelProto, Dataset]:
    """An untrained network whose answers to a target of that middle and spread are on both sides of 0."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 8)).astype(np.float32)
    values = shift + factor * (x @ np.ones(8) / np.sqrt(8))
    data = Dataset.valued("some", {"x": x}, values)
    ready = prepared(data)
    torch.manual_seed(0)
    network = ready.build(1.0).eval()
    with torch.no_grad():
        *_, last = (one for one in network.modules() if isinstance(one, torch.nn.Linear))
        last.weight.mul_(40)
    run = Fit(0, Epoch(1, 0.0, 0.0, {}, 1, 0.1), (), 0.0)
    return Trained((run,), run, 0, network, ready), ready.graph(network), data


@pytest.mark.parametrize(("shift", "factor"), [(1e6, 1e6), (1e-6, 1e-6)])
def test_the_graph_is_checked_on_the_targets_own_scale(shift: float, factor: float) -> None:
    trained, model, data = around(shift, factor)
    values = trained.scores(data)
    assert values.min() < 0 < values.max()
    assert check(model, trained, data) <= 2e-6
    broken = onnx.ModelProto()
    broken.CopyFrom(model)
    last = [one for one in broken.graph.initializer if one.name.endswith("weight")][-1]
    last.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(last) * 1.001, last.name))
    with pytest.raises(BuildError, match="apart from the trained network"):
        check(broken, trained, data)


def test_all_columns_can_be_one_matrix() -> None:
    data = TabularMlp().load("iris", override(Config, ["inputs=matrix"]))
    assert (data.columns["features"].shape, data.notes) == (
        (150, 4),
        ("features are sepal_length, sepal_width, petal_length, petal_width",),
    )
    with pytest.raises(DataError, match="inputs=matrix takes numbers only, and 'town' holds names"):
        joined(mixed())


def test_a_matrix_is_sliced_by_the_columns_that_it_is_made_of() -> None:
    data = replace(PACKAGED["iris"](), beside={"garden": np.arange(150) % 3})
    extras = Extras(slice_by=("sepal_length", "garden"))
    extras.check(joined(data))
    test = joined(data).take(range(5))
    found = extras.slices(test)
    assert found["sepal_length"].tolist() == data.columns["sepal_length"][:5].tolist()
    assert found["garden"].tolist() == [0, 1, 2, 0, 1]
    assert test.fingerprint == replace(test, beside={}).fingerprint


@pytest.mark.parametrize(
    ("recipe", "source", "message"),
    [
        (TabularMlp(), "diabetes", "diabetes is no data for tabular-mlp; iris is"),
        (Regressor(), "iris", "iris is no data for regressor; diabetes is"),
    ],
)
def test_a_packaged_set_of_another_task_is_refused(recipe: Any, source: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        recipe.load(source, recipe.config())


@pytest.mark.parametrize("name", ["scores", "a/b", ""])
def test_a_column_that_cannot_be_an_input_is_an_error(name: str) -> None:
    with pytest.raises(DataError, match="cannot be the name of an input; rename the column"):
        Features.learn(replace(mixed(), columns={name: mixed().columns["index"]}), 1)


def test_a_column_without_any_number_is_an_error() -> None:
    empty = replace(mixed(), columns={"age": np.full(220, np.nan, np.float32)})
    with pytest.raises(DataError, match="a column of numbers is missing in every training row"):
        Features.learn(empty, 1)


def test_widths_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"hidden=\(8, 0\) must be widths from 1 to 65536"):
        Config(hidden=(8, 0))
