"""Nearest neighbours in feature space, and the scores that are defined by them."""

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK = 1024


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Fractions of fakes within a real ball, and of reals within a fake one (Kynkäänniemi et al., 2019, eq. 1 and 2).

    A ball reaches from an example of (N, width) features to its k-th nearest neighbour in the same set.
    """
    real_radii, fake_radii = _squared_radii(real, k), _squared_radii(fake, k)
    inside_real, inside_fake = 0, torch.zeros(len(real), dtype=torch.bool)
    for start, distances in _distances(fake, real):
        inside_real += int((distances <= real_radii).any(1).sum())
        inside_fake |= (distances <= fake_radii[start : start + len(distances), None]).any(0)
    return inside_real / len(fake), float(inside_fake.double().mean())


def density_coverage(real: Tensor, fake: Tensor, k: int = 5) -> tuple[float, float]:
    """Real balls around a fake over k, and the fraction of real balls that hold a fake (Naeem et al., 2020, eq. 5, 6).

    With as many fakes as reals of the same distribution, density is 1 and coverage 1 - 2^-k.
    """
    real_radii = _squared_radii(real, k)
    inside, covered = 0, torch.zeros(len(real), dtype=torch.bool)
    for _, distances in _distances(fake, real):
        within = distances < real_radii
        inside += int(within.sum())
        covered |= within.any(0)
    return inside / (k * len(fake)), float(covered.double().mean())


def _squared_radii(points: Tensor, k: int) -> Tensor:
    """Squared distance from each of (N, width) points to its k-th nearest other point."""
    found: list[Tensor] = []
    for start, distances in _distances(points, points):
        distances.diagonal(start).fill_(torch.inf)  # a point is no neighbour of its own
        found.append(distances.topk(k, 1, largest=False).values[:, -1])
    return torch.cat(found)


def nearest(queries: Tensor, points: Tensor, itself: bool = False) -> tuple[Tensor, Tensor]:
    """Distance and row of the nearest point for each query; `itself` leaves the same row out (both sets are one)."""
    found, rows = [], []
    for start, distances in _distances(queries, points):
        if itself:
            distances.diagonal(start).fill_(torch.inf)
        least = distances.min(1)
        found.append(least.values)
        rows.append(least.indices)
    return torch.cat(found).sqrt(), torch.cat(rows)


def _distances(queries: Tensor, points: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Squared distances of at most CHUNK queries from row `start` on; float64, as near ones cancel in float32."""
    points = points.double()
    centre = points.mean(0)
    points = points - centre
    squares = points.square().sum(1)
    for start in range(0, len(queries), CHUNK):
        own = queries[start : start + CHUNK].double() - centre
        squared = torch.addmm(squares, own, points.T, alpha=-2).add_(own.square().sum(1, keepdim=True))
        yield start, squared.clamp_(min=0)
