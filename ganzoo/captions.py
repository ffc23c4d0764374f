"""Captions as numbers: the condition `caption` is the text's UTF-8 bytes, each plus one, with 0 behind the end."""

from collections.abc import Sequence

import torch
from torch import Tensor

VOCABULARY = 257  # 0 and the bytes


def encode(texts: Sequence[str], length: int) -> Tensor:
    """Texts as int64 numbers in [0, 256], (N, length); what is longer is cut."""
    rows = torch.zeros(len(texts), length, dtype=torch.int64)
    for row, text in zip(rows, texts, strict=True):
        content = text.encode()[:length]
        row[: len(content)] = torch.tensor(list(content), dtype=torch.int64) + 1
    return rows


def decode(rows: Tensor) -> list[str]:
    """The texts again, as far as they weren't cut."""
    return [bytes(value - 1 for value in row if value).decode(errors="ignore") for row in rows.tolist()]
