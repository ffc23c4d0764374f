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


def test_the_chunks_of_paired_sets_give_the_sums_over_all_pairs_but_the_own():
    x, y = normal(50, 8).double(), normal(50, 8, seed=1, shift=0.5).double()
    k = lambda a, b: ((a @ b.T / 8 + 1) ** 3).fill_diagonal_(0).sum() / (50 * 49)  # noqa: E731
    found = kernel_distance(x, y, chunk=7, paired=True)
    assert found.value == pytest.approx(float(k(x, x) + k(y, y) - 2 * k(x, y)), rel=1e-12)
    assert found.error == pytest.approx(kernel_distance(x, y, paired=True).error, rel=1e-10)


@pytest.mark.parametrize("shift", [0.0, 0.2])
@pytest.mark.parametrize("share", [None, 0.0, 0.9])
def test_the_error_is_the_deviation_over_draws(share, shift):
    """Independent sets (None), and counterparts that share so much of their variance."""
    values, errors = [], []
    for seed in range(400):
        x, y = normal(200, seed=2 * seed, shift=shift), normal(200, seed=2 * seed + 1)
        if share is not None:
            y = share**0.5 * (x - shift) + (1 - share) ** 0.5 * y
        found = kernel_distance(x, y, paired=share is not None)
        values.append(found.value)
        errors.append(found.error)
    values, errors = torch.tensor(values), torch.tensor(errors)
    assert 0.85 < errors.square().mean().sqrt() / values.std() < 1.15
    if not shift:
        assert values.mean().abs() < 4 * values.std() / 20  # unbiased
        assert (values.abs() / errors).max() < 4


def test_a_set_has_no_distance_to_itself():
    x = normal(300)
    assert abs(kernel_distance(x, x, chunk=64, paired=True).value) < 1e-12
    assert kernel_distance(x, x).value < -0.01  # what counterparts do to the estimator of independent sets


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
