"""ResNet-18, after He and others, "Deep Residual Learning for Image Recognition" (arXiv 1512.03385)."""

from torch import Tensor, nn

SMALL = 64
"""Pixels. Smaller pictures begin with a kernel of 3 and without pooling, as the paper does on CIFAR-10."""


class _Block(nn.Module):
    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.straight = nn.Sequential(
            nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.beside: nn.Module = nn.Identity()
        if stride > 1 or width_in != width:
            self.beside = nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.straight(x) + self.beside(x)
        return y.relu()


def resnet18(channels: int, classes: int, size: int, width: int = 64) -> nn.Sequential:
    """Pictures [batch, channels, size, size] -> logits [batch, classes]; `width` filters in the first of four
    stages (64 in the paper), twice as many in each of the next."""
    small = size < SMALL
    layers: list[nn.Module] = [
        nn.Conv2d(channels, width, 3 if small else 7, 1 if small else 2, 1 if small else 3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    if not small:
        layers.append(nn.MaxPool2d(3, 2, padding=1))
    before = width
    for stage in range(4):
        after = width << stage
        layers += [_Block(before, after, 2 if stage else 1), _Block(after, after, 1)]
        before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))
