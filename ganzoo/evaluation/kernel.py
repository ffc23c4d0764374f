"""The kernel distance (KID): the exact unbiased estimator, in chunks, with its standard error."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class KernelDistance:
    """`value` is unbiased (it may be below 0), `error` its standard error."""

    value: float
    error: float


def kernel_distance(x: Tensor, y: Tensor, chunk: int = 1024, *, paired: bool = False) -> KernelDistance:
    """MMD^2 of two sets of features, (M, width) and (N, width), kernel (x.y / width + 1)^3 (Binkowski et al., 2018).

    Over all pairs, not over random subsets, so the same features give the same number. Sets are independent, unless
    they are `paired`: then row i of both belongs together, and is compared with all rows but its own.
    """
    if paired:
        return _paired(x, y, chunk)
    m, n = len(x), len(y)
    xx, yy, xy = _sums(x, x, chunk), _sums(y, y, chunk), _sums(x, y, chunk)
    x_rows, y_rows = (xx.rows - xx.diagonal) / (m - 1), (yy.rows - yy.diagonal) / (n - 1)
    value = x_rows.mean() + y_rows.mean() - 2 * xy.rows.mean() / n
    first = 4 * ((x_rows - xy.rows / n).var() / m + (y_rows - xy.columns / m).var() / n)
    second = sum(
        2 * _residue_within(rows, sums.squares - float(sums.diagonal.square().sum())) / (len(rows) * (len(rows) - 1))
        for rows, sums in ((x_rows, xx), (y_rows, yy))
    )
    second += 4 * _residue_between(xy, m, n) / (m * n)
    return KernelDistance(float(value), _error(float(first), second))


def _paired(x: Tensor, y: Tensor, chunk: int) -> KernelDistance:
    """One mean over all i != j of k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(y_i, x_j)."""
    x, y, n = x.double(), y.double(), len(x)
    rows, squares = [], 0.0
    for start in range(0, n, chunk):
        a, b = x[start : start + chunk], y[start : start + chunk]
        terms = _kernel(a, x).add_(_kernel(b, y)).sub_(_kernel(a, y)).sub_(_kernel(b, x))
        terms.diagonal(start).zero_()
        rows.append(terms.sum(1) / (n - 1))
        squares += float(terms.square_().sum())
    means = torch.cat(rows)
    second = 2 * _residue_within(means, squares) / (n * (n - 1))
    return KernelDistance(float(means.mean()), _error(float(4 * means.var() / n), second))


def _error(first: float, second: float) -> float:
    """The standard error, of how the means of single examples scatter, and of what no single example explains.

    The first, estimated, holds the second twice over. Where sets are alike nothing else is left, and never less.
    """
    return math.sqrt(max(first - second, second))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return torch.addmm(torch.ones((), dtype=torch.float64), x, y.T, alpha=1 / x.shape[1]).pow_(3)


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
    squares, diagonal = 0.0, []
    for start in range(0, len(x), chunk):
        part = x[start : start + chunk].double()
        stop = start + len(part)
        first = start if same else 0  # a set against itself is symmetric: what lies below the diagonal is known
        kernel = _kernel(part, y[first:])
        rows[start:stop] += kernel.sum(1)
        columns[first:] += kernel.sum(0)
        if same:
            rows[stop:] += kernel[:, len(part) :].sum(0)
            columns[start:stop] += kernel[:, len(part) :].sum(1)
        diagonal.append((part.square().sum(1) / width + 1) ** 3)
        squared = kernel.square_()
        squares += float(squared.sum()) + (float(squared[:, len(part) :].sum()) if same else 0.0)
    return _Sums(rows, columns, torch.cat(diagonal), squares)


def _residue_within(means: Tensor, squares: float) -> float:
    """What rows and columns don't explain of a symmetric matrix without its diagonal, as a mean square.

    `means` are those of its rows, `squares` the sum of its squares.
    """
    n, mean = len(means), float(means.mean())
    return max(0.0, squares - 2 * n * float(means.square().sum()) + n * (n + 1) * mean**2) / (n * (n - 1))


def _residue_between(sums: _Sums, m: int, n: int) -> float:
    mean = float(sums.rows.sum()) / (m * n)
    rows, columns = float((sums.rows / n).square().mean()), float((sums.columns / m).square().mean())
    return max(0.0, sums.squares / (m * n) - rows - columns + mean**2)


def standardised(x: Tensor, like: Tensor) -> Tensor:
    """Features with the reference's mean and deviation taken out: otherwise the kernel sees the largest ones alone.

    A feature that the reference never shows has no deviation, and keeps its own scale.
    """
    mean, deviation = like.double().mean(0), like.double().std(0)
    return ((x.double() - mean) / torch.where(deviation > 1e-6, deviation, 1.0)).float()
