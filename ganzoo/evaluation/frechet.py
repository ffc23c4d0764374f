"""The Fréchet distance between two sets of features, each summarised by a mean and a covariance."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Moments:
    """Mean and scatter of a stream of features, in float64; those of two streams merge exactly.

    `mean` is (width,), `scatter` the (width, width) sum of outer products about the mean.
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def empty(cls, width: int) -> "Moments":
        return cls(0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64))

    @classmethod
    def over(cls, features: Tensor, chunk: int = 4096) -> "Moments":
        """The moments of features (N, width)."""
        moments = cls.empty(features.shape[1])
        for start in range(0, len(features), chunk):
            moments.add(features[start : start + chunk])
        return moments

    def add(self, features: Tensor) -> None:
        """Take in features (N, width)."""
        x = features.detach().cpu().double()
        mean = x.mean(0)
        centred = x - mean
        self.merge(Moments(len(x), mean, centred.T @ centred))

    def merge(self, other: "Moments") -> None:
        """Take in another stream's moments (Chan et al., 1979)."""
        total = self.count + other.count
        if total == 0:
            return
        apart = other.mean - self.mean
        self.scatter = self.scatter + other.scatter + torch.outer(apart, apart) * (self.count * other.count / total)
        self.mean = self.mean + apart * (other.count / total)
        self.count = total

    @property
    def covariance(self) -> Tensor:
        """Unbiased, (width, width)."""
        return self.scatter / (self.count - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (A B)^1/2) (Fréchet, 1957; Heusel et al., 2017), in squared feature units.

    tr (A B)^1/2 is the sum of the singular values of A^1/2 B^1/2. No square is taken and undone, so a covariance
    without full rank costs no digits.
    """
    return gaussian_distance(a.mean, a.covariance, b.mean, b.covariance)


def gaussian_distance(mean_a: Tensor, a: Tensor, mean_b: Tensor, b: Tensor) -> float:
    """The Fréchet distance between two normal distributions: means (width,), covariances (width, width), float64."""
    overlap = torch.linalg.svdvals(_root(a) @ _root(b)).sum()
    return float((mean_a - mean_b).square().sum() + a.trace() + b.trace() - 2 * overlap)


def _root(matrix: Tensor) -> Tensor:
    try:
        values, vectors = torch.linalg.eigh(matrix)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        # it may give up on many equal eigenvalues, such as the zeros of few examples; of a covariance this is the same
        vectors, values, _ = torch.linalg.svd(matrix)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root
