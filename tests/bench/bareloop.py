"""The peer of the training engine: the loop that one writes by hand, with torch's own parts."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from coldpress_build.data.batches import Batches
from coldpress_build.training.settings import Training

VALIDATION_ROWS = 256
"""Of a batch, at least; as the engine's."""


def fit(
    network: nn.Module,
    train: Batches,
    validation: Batches,
    how: Training,
    seed: int,
    *,
    classes: int,
    device: str = "cpu",
    ended: Callable[[], None] = lambda: None,
) -> list[float]:
    """Fit `network` for `how.epochs` with AdamW, and answer the validation loss of each.

    It does what the engine does with the same settings: the same batches in the same order, dropout from
    the same seed, a clipped gradient, a moving average of the weights that is validated after each epoch, and
    the best weights kept. It has no schedule, checkpoints, metrics, tracking or checks.
    `ended` is called after each epoch.
    """
    torch.manual_seed(seed)
    network.to(device)
    call = torch.compile(network) if how.compile else network
    average = None
    if how.average:
        mix = get_ema_multi_avg_fn(how.average)  # type: ignore[no-untyped-call]
        average = AveragedModel(network, multi_avg_fn=mix, use_buffers=True)
    validated = average or call
    chosen = torch.optim.AdamW(network.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
    kept = network.state_dict()
    losses: list[float] = []

    def loss_of(model: Callable[..., Tensor], batches: Batches, rows: Tensor) -> Tensor:
        inputs, target = _drawn(batches, rows, device)
        with torch.autocast(device, torch.bfloat16, enabled=how.precision == "bf16"):
            answer = model(*inputs)
        return cross_entropy(answer.float(), target) if classes else mse_loss(answer.float(), target)

    for epoch in range(1, how.epochs + 1):
        network.train()
        generator = torch.Generator().manual_seed((seed << 24) + epoch)
        for rows in torch.randperm(len(train), generator=generator).split(how.batch_size):
            loss_of(call, train, rows).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), how.clip)
            chosen.step()
            chosen.zero_grad()
            if average:
                average.update_parameters(network)
        validated.eval()
        with torch.no_grad():
            total = sum(
                loss_of(validated, validation, rows) * len(rows)
                for rows in torch.arange(len(validation)).split(max(how.batch_size, VALIDATION_ROWS))
            )
        losses.append(float(total) / len(validation))
        if losses[-1] == min(losses):
            best = average.module if average else network
            kept = {name: tensor.detach().cpu().clone() for name, tensor in best.state_dict().items()}
        ended()
    network.load_state_dict(kept)
    return losses


def _drawn(batches: Batches, rows: Tensor, device: str) -> tuple[list[Tensor], Tensor]:
    first, *others = batches.inputs
    drawn = first[rows]
    if batches.lengths is not None:
        drawn = drawn[:, : int(batches.lengths[rows].max())]
    inputs = [drawn, *(tensor[rows] for tensor in others)]
    moved = [tensor.to(device, non_blocking=True) for tensor in inputs]
    return moved, batches.target[rows].to(device, non_blocking=True)
