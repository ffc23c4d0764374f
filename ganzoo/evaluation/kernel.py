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
    rows, columns, squares, diagonal = [], torch.zeros(len(y), dtype=torch.float64), 0.0, []
    y = y.double()
    for start in range(0, len(x), chunk):
        part = x[start : start + chunk].double()
        kernel = torch.addmm(torch.ones((), dtype=torch.float64), part, y.T, alpha=1 / x.shape[1]) ** 3
        rows.append(kernel.sum(1))
        columns += kernel.sum(0)
        squares += float(kernel.square().sum())
        diagonal.append((part.square().sum(1) / x.shape[1] + 1) ** 3)
    return _Sums(torch.cat(rows), columns, torch.cat(diagonal), squares)


def _residue(sums: _Sums, m: int, n: int) -> float:
    mean = float(sums.rows.sum()) / (m * n)
    rows, columns = float((sums.rows / n).square().mean()), float((sums.columns / m).square().mean())
    return max(0.0, sums.squares / (m * n) - rows - columns + mean**2)


def standardised(x: Tensor, like: Tensor) -> Tensor:
    """Features with the reference's mean and deviation taken out: otherwise the kernel sees the largest ones alone."""
    mean, deviation = like.double().mean(0), like.double().std(0)
    return ((x.double() - mean) / deviation.clamp(min=1e-6)).float()
