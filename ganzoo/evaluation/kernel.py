"""The kernel distance (KID): the exact unbiased estimator, in chunks, with its standard error."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class KernelDistance:
    """`value` is unbiased (it may be below 0), `error` its standard error."""

    value: float
    error: float


def kernel_distance(x: Tensor, y: Tensor, chunk: int = 1024) -> KernelDistance:
    """MMD^2 of two sets of features, (M, width) and (N, width), kernel (x.y / width + 1)^3 (Binkowski et al., 2018).

    Over all pairs, not over random subsets, so the same features give the same number.
    """
    m, n = len(x), len(y)
    xx, yy, xy = _sums(x, x, chunk), _sums(y, y, chunk), _sums(x, y, chunk)
    x_rows, y_rows = (xx.rows - xx.diagonal) / (m - 1), (yy.rows - yy.diagonal) / (n - 1)
    value = x_rows.mean() + y_rows.mean() - 2 * xy.rows.mean() / n
    # first order: how the terms of single examples scatter; second order: what is left when both sets are alike
    first = 4 * ((x_rows - xy.rows / n).var() / m + (y_rows - xy.columns / m).var() / n)
    second = 2 * _residue(xx, m, m) / m**2 + 2 * _residue(yy, n, n) / n**2 + 4 * _residue(xy, m, n) / (m * n)
    return KernelDistance(float(value), float((first + second).clamp(min=0).sqrt()))


@dataclass
class _Sums:
    rows: Tensor
    columns: Tensor
    diagonal: Tensor
    squares: float


def _sums(x: Tensor, y: Tensor, chunk: int) -> _Sums:
    same, width = x is y, x.shape[1]
    y = y.double()
    rows, columns = (torch.zeros(len(part), dtype=torch.float64) for part in (x, y))
    squares, diagonal, one = 0.0, [], torch.ones((), dtype=torch.float64)
    for start in range(0, len(x), chunk):
        part = x[start : start + chunk].double()
        stop = start + len(part)
        first = start if same else 0  # a set against itself is symmetric: what lies below the diagonal is known
        kernel = torch.addmm(one, part, y[first:].T, alpha=1 / width).pow_(3)
        rows[start:stop] += kernel.sum(1)
        columns[first:] += kernel.sum(0)
        if same:
            rows[stop:] += kernel[:, len(part) :].sum(0)
            columns[start:stop] += kernel[:, len(part) :].sum(1)
        diagonal.append((part.square().sum(1) / width + 1) ** 3)
        squared = kernel.square_()
        squares += float(squared.sum()) + (float(squared[:, len(part) :].sum()) if same else 0.0)
    return _Sums(rows, columns, torch.cat(diagonal), squares)


def _residue(sums: _Sums, m: int, n: int) -> float:
    mean = float(sums.rows.sum()) / (m * n)
    rows, columns = float((sums.rows / n).square().mean()), float((sums.columns / m).square().mean())
    return max(0.0, sums.squares / (m * n) - rows - columns + mean**2)


def standardised(x: Tensor, like: Tensor) -> Tensor:
    """Features with the reference's mean and deviation taken out: otherwise the kernel sees the largest ones alone.

    A feature that the reference never shows has no deviation, and keeps its own scale.
    """
    mean, deviation = like.double().mean(0), like.double().std(0)
    return ((x.double() - mean) / torch.where(deviation > 1e-6, deviation, 1.0)).float()
