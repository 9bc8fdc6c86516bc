"""The training loop, on rows that a few steps can learn."""

from pathlib import Path

import pytest
import torch
from torch import nn

from coldpress_build.data.batches import Batches
from coldpress_build.engine import Fit, Training, fit
from coldpress_build.errors import BuildError
from coldpress_build.progress import Progress

HOW = Training(epochs=4, batch_size=8, learning_rate=0.05, average=0.5)


class Bag(nn.Module):
    """Word ids -> logits, by one embedding."""

    def __init__(self, poison: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 2, padding_idx=0)
        self.poison = poison

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.embedding(ids).sum(1) + self.poison
        return logits


def rows(count: int = 64) -> Batches:
    ids = torch.tensor([[1 + n % 2, 3, 0] if n % 3 else [1 + n % 2, 0, 0] for n in range(count)])
    return Batches(ids, torch.tensor([n % 2 for n in range(count)]), (ids != 0).sum(1))


def fitted(seed: int = 0, how: Training = HOW) -> tuple[Fit, nn.Module]:
    torch.manual_seed(seed)
    network = Bag()
    return fit(network, rows(), rows(32), how, seed, Progress(silent=True), classes=2), network


def test_it_learns_and_tells_each_epoch() -> None:
    run, network = fitted()
    assert [epoch.number for epoch in run.epochs] == [1, 2, 3, 4]
    assert run.best.metrics == {"accuracy": 1.0}
    assert run.epochs[-1].train_loss < run.epochs[0].train_loss
    assert not network.training


def test_the_same_seed_gives_the_same_weights() -> None:
    (first, one), (second, two), (_, other) = fitted(), fitted(), fitted(seed=1)
    assert first.epochs == second.epochs
    assert torch.equal(one.embedding.weight, two.embedding.weight)  # type: ignore[arg-type, union-attr]
    assert not torch.equal(one.embedding.weight, other.embedding.weight)  # type: ignore[arg-type, union-attr]


def loss_of(network: nn.Module, batches: Batches) -> float:
    return nn.functional.cross_entropy(network(*batches.inputs), batches.target).item()


def test_the_network_has_the_averaged_weights_that_were_validated() -> None:
    run, network = fitted()
    assert loss_of(network, rows(32)) == pytest.approx(run.best.validation_loss, abs=1e-6)
    assert run.best.validation_loss == min(epoch.validation_loss for epoch in run.epochs)


def test_it_stops_early_and_goes_back_to_the_best_epoch() -> None:
    # The validation rows say the opposite of what is learned: each epoch makes them worse.
    opposite = Batches(rows().inputs, 1 - rows().target)
    torch.manual_seed(0)
    network = Bag()
    how = Training(epochs=50, batch_size=8, learning_rate=0.05, average=0.5, patience=2)
    run = fit(network, rows(), opposite, how, 0, Progress(silent=True), classes=2)
    assert run.best.number == 1
    assert len(run.epochs) == 3
    assert loss_of(network, opposite) == pytest.approx(run.best.validation_loss, abs=1e-6)


def test_a_loss_that_is_no_number_ends_it_with_advice() -> None:
    with pytest.raises(
        BuildError, match=r"training loss became nan in epoch 1; lower learning_rate \(it is 0.05\)"
    ):
        fit(Bag(poison=float("nan")), rows(), rows(), HOW, 0, Progress(silent=True), classes=2)


def test_ctrl_c_goes_through() -> None:
    class Interrupted(Bag):
        def forward(self, _: torch.Tensor) -> torch.Tensor:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(), rows(), rows(), HOW, 0, Progress(silent=True), classes=2)


def test_nothing_is_printed_and_nothing_left_behind(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    fitted()
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
    assert torch.get_num_threads() == before


def test_batches_are_as_wide_as_their_longest_row() -> None:
    batches = Batches(
        torch.tensor([[1, 0, 0], [1, 2, 0], [0, 0, 0]]), torch.tensor([0, 1, 0]), torch.tensor([1, 2, 0])
    )
    shapes = [tuple(inputs.shape) for (inputs,), _ in batches.loader(1)]
    assert shapes == [(1, 1), (1, 2), (1, 1)]
    assert [labels.tolist() for _, labels in batches.loader(2)] == [[0, 1], [0]]


def test_shuffling_is_by_seed_and_differs_from_epoch_to_epoch() -> None:
    batches = Batches(torch.ones(32, 1, dtype=torch.long), torch.arange(32))

    def order(loader: object) -> list[int]:
        return [label for _, labels in loader for label in labels.tolist()]  # type: ignore[attr-defined]

    loader = batches.loader(8, seed=3)
    first, second = order(loader), order(loader)
    assert sorted(first) == sorted(second) == list(range(32))
    assert first != second
    assert first == order(batches.loader(8, seed=3)) != order(batches.loader(8, seed=4))
