"""The Fréchet distance is right where the answer is known, and its sums merge."""

import pytest
import torch

from ganzoo.evaluation.frechet import Moments, frechet_distance, gaussian_distance


def exact(mean, covariance, count=500):
    """Points whose sample mean and covariance are exactly these."""
    mean, covariance = torch.as_tensor(mean).double(), torch.as_tensor(covariance).double()
    points = torch.randn(count, len(mean), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    points -= points.mean(0)
    points @= torch.linalg.inv(torch.linalg.cholesky(points.T @ points / (count - 1))).T
    return mean + points @ torch.linalg.cholesky(covariance).T


def test_normal_distributions_that_share_axes_have_the_distance_of_the_formula():
    a = exact([0.0, 0.0, 0.0], torch.diag(torch.tensor([1.0, 4.0, 9.0])))
    b = exact([1.0, 0.0, -2.0], torch.diag(torch.tensor([4.0, 4.0, 1.0])))
    by_hand = (1 + 4) + (1 - 2) ** 2 + (2 - 2) ** 2 + (3 - 1) ** 2  # |difference of means|^2 + sum (s - t)^2
    assert frechet_distance(Moments.over(a), Moments.over(b)) == pytest.approx(by_hand, abs=1e-6)


def test_a_general_pair_agrees_with_the_matrix_square_root_of_scipy():
    linalg = pytest.importorskip("scipy.linalg")
    generator = torch.Generator().manual_seed(1)
    roots = torch.randn(2, 40, 40, generator=generator, dtype=torch.float64)
    a, b = roots[0] @ roots[0].T, roots[1] @ roots[1].T
    means = torch.randn(2, 40, generator=generator, dtype=torch.float64)
    product = linalg.sqrtm((a @ b).numpy()).real
    expected = (means[0] - means[1]).square().sum() + a.trace() + b.trace() - 2 * product.trace()
    assert gaussian_distance(means[0], a, means[1], b) == pytest.approx(float(expected), rel=1e-9)


def test_a_set_has_no_distance_to_itself_even_without_full_rank():
    points = torch.randn(20, 64, generator=torch.Generator().manual_seed(2))  # fewer points than dimensions
    moments = Moments.over(points)
    assert abs(frechet_distance(moments, moments)) < 1e-6


def test_moments_of_two_streams_merge_to_those_of_one():
    points = torch.randn(1000, 16, generator=torch.Generator().manual_seed(3)) * 3 + 100
    whole, first, second = Moments.over(points), Moments.over(points[:333], chunk=50), Moments.over(points[333:])
    first.merge(second)
    assert first.count == whole.count == 1000
    torch.testing.assert_close(first.mean, points.double().mean(0), rtol=0, atol=1e-10)
    torch.testing.assert_close(first.covariance, torch.cov(points.double().T), rtol=1e-10, atol=1e-10)
    assert frechet_distance(first, whole) == pytest.approx(0, abs=1e-8)


def test_a_distance_is_the_same_where_eigenvalues_do_not_converge(monkeypatch):
    torch.manual_seed(0)
    few, many = (Moments.over(torch.randn(count, 48)) for count in (6, 200))
    wanted = frechet_distance(few, many)

    def gives_up(matrix):
        raise torch.linalg.LinAlgError("linalg.eigh: the algorithm failed to converge")

    monkeypatch.setattr(torch.linalg, "eigh", gives_up)
    assert frechet_distance(few, many) == pytest.approx(wanted, rel=1e-6)
