"""Penalties against discriminators whose gradients are known, and what must reach them."""

import pytest
import torch
from torch import nn

import ganzoo
from ganzoo import Discriminator
from ganzoo.penalties import gradient_penalty, interpolate, squared_gradient_norms, zero_centered_penalty
from ganzoo.registry import registry


class Linear(nn.Module):
    """D(x) = a . x: its gradient is a everywhere."""

    def __init__(self, *a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, x):
        return x.flatten(1) @ self.a


class Quadratic(nn.Module):
    """D(x) = c |x|^2 / 2, times the label where there is one: its gradient is c x."""

    def __init__(self, c=3.0):
        super().__init__()
        self.c = nn.Parameter(torch.tensor(c))

    def forward(self, x, label=None):
        logits = self.c / 2 * x.flatten(1).square().sum(1)
        return logits if label is None else logits * label


X = torch.tensor([[1.0, 2.0, 2.0], [0.0, 3.0, 4.0]])  # norms 3 and 5


def test_a_linear_discriminator_has_the_same_gradient_everywhere():
    D = Linear(3.0, 4.0, 0.0)  # norm 5
    assert zero_centered_penalty(D, X).item() == pytest.approx(25)
    assert gradient_penalty(D, X).item() == pytest.approx(16)  # (5 - 1)^2
    assert gradient_penalty(D, X, target=7.0).item() == pytest.approx(4)


def test_a_quadratic_discriminator():
    D = Quadratic(3.0)  # norms 3 * 3 and 3 * 5
    assert zero_centered_penalty(D, X).item() == pytest.approx((81 + 225) / 2)
    assert gradient_penalty(D, X).item() == pytest.approx((8**2 + 14**2) / 2)


def test_the_norm_is_that_of_a_whole_example_not_of_a_row_or_pixel():
    image = torch.full((2, 3, 4, 4), 0.5)
    (squared,) = squared_gradient_norms([Quadratic(1.0)(x := image.requires_grad_())], [x])
    assert squared.shape == (2,)
    assert squared.tolist() == pytest.approx([12.0, 12.0])  # 48 pixels of 0.25


def test_double_backward_reaches_the_weights():
    D = Quadratic(3.0)
    (slope,) = torch.autograd.grad(zero_centered_penalty(D, X), [D.c])
    assert slope.item() == pytest.approx(2 * 3 * (9 + 25) / 2)  # d/dc of c^2 |x|^2
    (slope,) = torch.autograd.grad(gradient_penalty(D, X), [D.c])
    assert slope.item() == pytest.approx((2 * 8 * 3 + 2 * 14 * 5) / 2)  # d/dc of (c |x| - 1)^2


def test_a_flat_discriminator_gives_a_finite_slope():
    D = Linear(0.0, 0.0, 0.0)
    penalty = gradient_penalty(D, X)
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert torch.isfinite(torch.autograd.grad(penalty, [D.a])[0]).all()


def test_the_condition_is_passed_on():
    label = torch.tensor([2.0, 0.0])
    D = Quadratic(1.0)
    assert zero_centered_penalty(D, X, label).item() == pytest.approx((2 * 3) ** 2 / 2)
    assert gradient_penalty(D, X, label).item() == pytest.approx(((6 - 1) ** 2 + 1) / 2, rel=1e-5)


def test_the_images_get_no_gradient_and_stay_as_they_are():
    x = X.clone().requires_grad_()
    D = Quadratic()
    assert torch.autograd.grad(gradient_penalty(D, x), [x], allow_unused=True) == (None,)
    assert torch.equal(x, X)


def test_several_inputs_share_one_backward_pass():
    D = Quadratic(1.0)
    a, b = X.clone().requires_grad_(), (2 * X).requires_grad_()
    one, two = squared_gradient_norms([D(a), D(b)], [a, b])
    assert one.tolist() == pytest.approx([9, 25])
    assert two.tolist() == pytest.approx([36, 100])


def test_gradients_are_widened_before_they_are_squared():
    D = Linear(300.0, 0.0, 0.0).to(torch.float16)  # 300^2 is more than float16 holds
    assert zero_centered_penalty(D, X.half()).item() == 90_000


def test_interpolation_draws_once_per_example_not_per_pixel():
    torch.manual_seed(0)
    real, fake = torch.zeros(512, 3, 4, 4), torch.ones(512, 3, 4, 4)
    between = interpolate(real, fake)
    draws = between.flatten(1)
    assert (draws == draws[:, :1]).all()
    assert draws.min() >= 0
    assert draws.max() <= 1
    assert len(draws[:, 0].unique()) > 500
    assert draws[:, 0].mean().item() == pytest.approx(0.5, abs=0.05)
    assert draws[:, 0].var().item() == pytest.approx(1 / 12, abs=0.02)  # uniform


def test_interpolation_lies_between_each_real_and_its_own_fake():
    real, fake = torch.tensor([[0.0], [10.0]]), torch.tensor([[1.0], [20.0]], requires_grad=True)
    between = interpolate(real, fake)
    assert 0 <= between[0] <= 1
    assert 10 <= between[1] <= 20
    assert not between.requires_grad


class TwoScales(Discriminator):
    """Logits of two scales: maps (N, 1, 4, 4) and (N, 1, 2, 2)."""

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 2, 2)

    def forward(self, images):
        return [self.fine(images), self.coarse(images)]


class Tiled(Quadratic):
    """The same logit at every patch, at two scales."""

    def forward(self, x, label=None):
        logits = super().forward(x, label)[:, None, None, None]
        return [logits.expand(-1, 1, side, side) for side in (8, 4)]


def test_the_penalty_is_that_of_the_mean_logit_however_many_patches_and_scales_there_are():
    assert zero_centered_penalty(Tiled(3.0), X).item() == pytest.approx(zero_centered_penalty(Quadratic(3.0), X).item())
    D, x = TwoScales(), torch.randn(2, 1, 4, 4)
    inputs = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(sum(scale.flatten(1).mean(1).sum() / 2 for scale in D(inputs)), [inputs])
    assert zero_centered_penalty(D, x).item() == pytest.approx(slope.flatten(1).square().sum(1).mean().item())


class Prior(nn.Linear):
    def latent(self, count):
        return torch.randn(count, self.in_features)

    def forward(self, latents):
        return super().forward(latents).unflatten(1, (1, 4, 4))


@pytest.mark.parametrize("name", ["gan", "wgan-gp", "r1r2"])
def test_a_strategy_takes_a_discriminator_of_several_scales(name):
    cls = registry().get("strategy", name)
    losses = registry().get("loss", "relativistic")
    nets = type("Nets", (), {"generator": Prior(3, 16), "discriminator": TwoScales()})
    strategy = cls(cls.Config(), losses(losses.Config()))
    updates = list(strategy.step(nets, iter([(torch.randn(4, 1, 4, 4),)] * 100)))
    assert updates
    assert all(isinstance(u, ganzoo.Update) and torch.isfinite(u.loss) and u.loss.shape == () for u in updates)


@pytest.mark.parametrize("several", [False, True])
def test_batches_of_unlike_lengths_keep_their_own_scores(several):
    D = TwoScales() if several else Quadratic(2.0)
    D.per_sample = True
    few, many = torch.zeros(2, 1, 4, 4), torch.ones(4, 1, 4, 4)
    strategy = ganzoo.Strategy()
    logits = strategy.logits(D, (few, many))
    again, slopes = strategy.logits_and_slopes(D, (few, many))
    for i, x in enumerate((few, many)):
        alone, (slope,) = strategy.logits_and_slopes(D, (x,))
        torch.testing.assert_close(slopes[i], slope)
        for found in (logits[i], again[i]):
            pairs = zip(found, alone[0], strict=True) if several else [(found, alone[0])]
            for one, expected in pairs:
                torch.testing.assert_close(one, expected)
