"""A small transformer encoder over word ids."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from coldpress_build.text.tokeniser import PAD, UNKNOWN

HIDDEN = -1e4
"""Added to the weight of what is not there. Finite, so that a text without any word has an answer too; and
within what half precision can say."""


class Encoder(nn.Module):
    """Word ids [batch, words] -> logits [batch, classes].

    PAD may stand anywhere: a word's position counts the words before it, and nobody looks at PAD.
    """

    def __init__(
        self,
        words: int,
        classes: int,
        *,
        positions: int,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
        word_dropout: float,
    ) -> None:
        super().__init__()
        self.word_dropout = word_dropout
        self.embedding = nn.Embedding(words, width, padding_idx=PAD)
        self.position = nn.Embedding(positions, width)
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.normal_(self.position.weight, std=0.01)
        with torch.no_grad():
            self.embedding.weight[PAD] = 0
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(width, heads, dropout) for _ in range(layers))
        # No norm before the mean: by it a rare word, which has learned little, would count as much as others.
        self.classify = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, classes),
        )

    def forward(self, ids: Tensor) -> Tensor:
        """The mean over the words that are there; a text without any has the mean 0."""
        present = ids != PAD
        if self.training:
            hidden = torch.rand_like(ids, dtype=torch.float32) < self.word_dropout
            ids = torch.where(present & hidden, UNKNOWN, ids)
        place = (present.long().cumsum(1) - 1).clamp(0, self.position.num_embeddings - 1)
        value = self.embedding(ids) + self.position(place)
        mask = torch.where(present, 0.0, HIDDEN).to(value.dtype)[:, None, None, :]
        for layer in self.layers:
            value = layer(value, mask)
        there = present[:, :, None].to(value.dtype)
        mean = (value * there).sum(1) / there.sum(1).clamp(min=1)
        logits: Tensor = self.classify(mean)
        return logits


class Layer(nn.Module):
    """Attention, then two layers for each word; each normalised before and added to what came in.

    R. Xiong et al.: On Layer Normalization in the Transformer Architecture, 2020 (pre-LN).
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_words = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read = nn.Linear(width, 3 * width)
        self.write = nn.Linear(width, width)
        last = nn.Linear(2 * width, width)
        self.words = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), last)
        self.dropout = nn.Dropout(dropout)
        # To begin with a layer changes nothing: the whole is then a mean of words, which learns by itself.
        for end in (self.write, last):
            nn.init.zeros_(end.weight)
            nn.init.zeros_(end.bias)

    def forward(self, value: Tensor, mask: Tensor) -> Tensor:
        """[batch, words, width] -> the same; `mask` [batch, 1, 1, words] is added to the weights."""
        batch, words, width = value.shape
        parts = self.read(self.before_attention(value)).reshape(batch, words, 3, self.heads, -1)
        query, key, content = parts.permute(2, 0, 3, 1, 4).unbind(0)
        seen = scaled_dot_product_attention(query, key, content, attn_mask=mask)
        value = value + self.dropout(self.write(seen.transpose(1, 2).reshape(batch, words, width)))
        found: Tensor = value + self.dropout(self.words(self.before_words(value)))
        return found
