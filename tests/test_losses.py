"""Each loss against numbers worked out by hand, and its sign."""

from math import exp, log

import pytest
import torch

from ganzoo.errors import PluginError
from ganzoo.registry import registry

NAMES = registry().names("loss")


def loss(name):
    cls = registry().get("loss", name)
    return cls(cls.Config())


def sigmoid(x):
    return 1 / (1 + exp(-x))


# two real logits, two fake ones; each expected value is the paper's formula written with log and sigmoid
REAL, FAKE = (2.0, -1.0), (0.5, -3.0)
BCE = -(log(sigmoid(2)) + log(sigmoid(-1))) / 2 - (log(1 - sigmoid(0.5)) + log(1 - sigmoid(-3))) / 2
EXPECTED = {
    "non-saturating": (BCE, -(log(sigmoid(0.5)) + log(sigmoid(-3))) / 2),
    "minimax": (BCE, (log(1 - sigmoid(0.5)) + log(1 - sigmoid(-3))) / 2),
    # ((2-1)^2 + (-1-1)^2)/2 = 2.5 and (0.5^2 + 3^2)/2 = 4.625; ((0.5-1)^2 + (-3-1)^2)/2 = 8.125; each halved
    "least-squares": ((2.5 + 4.625) / 2, 8.125 / 2),
    # relu(1-2) = 0, relu(1+1) = 2; relu(1+0.5) = 1.5, relu(1-3) = 0; -(0.5-3)/2
    "hinge": (1.0 + 0.75, 1.25),
    # mean fake -1.25, mean real 0.5
    "wasserstein": (-1.75, 1.25),
    # pairs: real - fake = 1.5 and 2
    "relativistic": (-(log(sigmoid(1.5)) + log(sigmoid(2))) / 2, -(log(sigmoid(-1.5)) + log(sigmoid(-2))) / 2),
}


def test_every_registered_loss_of_the_first_family_has_its_closed_form_here():
    ours = {name for name in NAMES if registry().get("loss", name).__module__ == "ganzoo_vanilla.losses"}
    assert ours == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_closed_form(name):
    real, fake = torch.tensor(REAL, dtype=torch.float64), torch.tensor(FAKE, dtype=torch.float64)
    discriminator, generator = EXPECTED[name]
    assert loss(name).discriminator(real, fake).item() == pytest.approx(discriminator, abs=1e-12)
    assert loss(name).generator(fake, real).item() == pytest.approx(generator, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_sign(name):
    """Descending the discriminator's loss raises real logits and lowers fake ones; the generator raises fake ones."""
    real = torch.tensor([0.5, -0.25], requires_grad=True)  # inside the margins and targets of every loss
    fake = torch.tensor([0.125, 0.75], requires_grad=True)
    up, down = torch.autograd.grad(loss(name).discriminator(real, fake), [real, fake])
    assert (up < 0).all()
    assert (down > 0).all()
    (push,) = torch.autograd.grad(loss(name).generator(fake, real.detach()), [fake])
    assert (push < 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_only_a_relativistic_loss_needs_the_real_logits_in_the_generators_turn(name):
    fake = torch.tensor(FAKE)
    one = loss(name)
    if one.relativistic:
        assert one.generator(fake, torch.tensor(REAL)) != one.generator(fake, torch.zeros(2))
        with pytest.raises(PluginError, match="gave it no real logits; write self.loss.generator"):
            one.generator(fake)
    else:
        assert one.generator(fake) == one.generator(fake, torch.tensor(REAL))


@pytest.mark.parametrize("name", NAMES)
def test_several_scales_are_averaged(name):
    torch.manual_seed(0)
    real = [torch.randn(4, 1, 5, 5), torch.randn(4, 1, 2, 2)]
    fake = [torch.randn(4, 1, 5, 5), torch.randn(4, 1, 2, 2)]
    one = loss(name)
    for many, parts in (
        (one.discriminator(real, fake), [one.discriminator(r, f) for r, f in zip(real, fake, strict=True)]),
        (one.generator(fake, real), [one.generator(f, r) for f, r in zip(fake, real, strict=True)]),
    ):
        assert many.shape == ()
        assert many.item() == pytest.approx(sum(part.item() for part in parts) / 2, rel=1e-6)
    with pytest.raises(ValueError, match="shorter"):
        one.discriminator(real, fake[:1])


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_widened(name):
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    for dtype in (torch.bfloat16, torch.float16):
        narrow = loss(name).discriminator(real.to(dtype), fake.to(dtype))
        assert narrow.dtype == torch.float32
        assert narrow == loss(name).discriminator(real, fake)  # these logits are exact in either
        assert loss(name).generator(fake.to(dtype), real.to(dtype)).dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_extreme_logits_stay_finite(name):
    real, fake = torch.tensor([-1e4, 1e4], requires_grad=True), torch.tensor([1e4, -1e4], requires_grad=True)
    total = loss(name).discriminator(real, fake) + loss(name).generator(fake, real)
    assert torch.isfinite(total)
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(total, [real, fake]))


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_that_says_per_sample_is_the_mean_of_its_parts(name):
    one = loss(name)
    assert one.per_sample
    torch.manual_seed(0)
    real, fake = torch.randn(8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    for whole, parts in (
        (one.discriminator(real, fake), [one.discriminator(real[i : i + 2], fake[i : i + 2]) for i in range(0, 8, 2)]),
        (one.generator(fake, real), [one.generator(fake[i : i + 2], real[i : i + 2]) for i in range(0, 8, 2)]),
    ):
        torch.testing.assert_close(whole, torch.stack(parts).mean(), rtol=1e-12, atol=1e-12)
