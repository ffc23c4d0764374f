"""The kernel distance is the unbiased estimator over all pairs, and knows its error."""

import pytest
import torch

from ganzoo.evaluation.kernel import kernel_distance, standardised


def normal(count, width=32, seed=0, shift=0.0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def test_chunks_give_the_sums_over_all_pairs():
    x, y = normal(50, 8).double(), normal(40, 8, seed=1, shift=0.5).double()
    k = lambda a, b: (a @ b.T / 8 + 1) ** 3  # noqa: E731
    xx, yy = k(x, x).fill_diagonal_(0).sum() / (50 * 49), k(y, y).fill_diagonal_(0).sum() / (40 * 39)
    assert kernel_distance(x, y, chunk=7).value == pytest.approx(float(xx + yy - 2 * k(x, y).mean()), rel=1e-12)


def test_the_error_does_not_depend_on_the_chunks():
    x, y = normal(50, 8), normal(40, 8, seed=1)
    assert kernel_distance(x, y, chunk=7).error == pytest.approx(kernel_distance(x, y, chunk=100).error, rel=1e-10)


def test_halves_of_one_set_differ_by_no_more_than_the_error():
    scores = []
    for seed in range(40):
        found = kernel_distance(normal(300, seed=2 * seed), normal(300, seed=2 * seed + 1))
        scores.append(found.value / found.error)
    scores = torch.tensor(scores)
    assert scores.abs().max() < 4  # of 40 draws
    assert 0.4 < scores.std() < 1.6  # so the error is of the right size


def test_shifted_sets_differ_by_far_more_than_the_error():
    found = kernel_distance(normal(300), normal(300, seed=1, shift=0.3))
    assert found.value > 5 * found.error > 0


def test_standardised_features_no_longer_depend_on_their_scale():
    x, y = normal(200), normal(200, seed=1, shift=0.2)
    scale = torch.logspace(-3, 3, 32)
    plain = kernel_distance(standardised(x, y), standardised(y, y)).value
    scaled = kernel_distance(standardised(x * scale, y * scale), standardised(y * scale, y * scale)).value
    assert scaled == pytest.approx(plain, rel=1e-3)


def test_a_feature_that_the_reference_never_shows_is_not_blown_up():
    torch.manual_seed(0)
    like, x = torch.rand(50, 4), torch.rand(50, 4)
    like[:, 0] = 0
    assert standardised(x, like)[:, 0].abs().max() <= 1
    assert standardised(like, like)[:, 1:].std(0).sub(1).abs().max() < 1e-5
