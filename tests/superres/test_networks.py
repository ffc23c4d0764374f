"""Networks that enlarge, discriminators of any size, and the terms of their losses."""

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo import Update
from ganzoo.evaluation.parts import features
from ganzoo_superres.discriminators import discriminator
from ganzoo_superres.strategies import SRGAN, distance, features_apart

NAMES = {"srresnet": {"width": 8, "depth": 3}, "rrdb": {"width": 8, "depth": 1, "growth": 4}, "srcompact": {"depth": 2}}


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("name", NAMES)
def test_an_untrained_network_is_bicubic(name, scale):
    picture = np.random.default_rng(0).integers(60, 200, (12, 20, 3), dtype=np.uint8)
    network = ganzoo.build(name, scale=scale, channels=3, **NAMES[name])
    made = network(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1)
    levels = ((made[0] + 1) * 127.5).permute(1, 2, 0).detach().numpy()
    expected = np.asarray(Image.fromarray(picture).resize((20 * scale, 12 * scale), Image.Resampling.BICUBIC))
    inner = (slice(3 * scale, -3 * scale),) * 2
    assert np.abs(levels[inner] - expected[inner].astype(float)).max() <= 1  # Pillow rounds twice


@pytest.mark.parametrize("name", NAMES)
def test_the_context_says_how_far_a_pixel_is_felt(name):
    torch.manual_seed(0)
    network = ganzoo.build(name, scale=2, channels=1, **NAMES[name])
    torch.nn.init.normal_(network.tail.weight)
    middle = network.context + 4
    images = torch.rand(1, 1, 2 * middle + 1, 2 * middle + 1)
    other = images.clone()
    other[0, 0, middle, middle] += 10
    felt = (network(images) - network(other)).abs()[0, 0].nonzero() // 2 - middle
    assert network.context - 3 <= felt.abs().max() <= network.context


@pytest.mark.parametrize("size", [16, 37, 96])
def test_discriminators_take_any_size(size):
    images = torch.rand(2, 3, size, size)
    assert discriminator("vgg", 3, 4)(images).shape == (2,)
    assert discriminator("unet", 3, 4)(images).shape == (2, 1, size, size)


def test_distances():
    a, b = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.5)
    assert distance("l1", a, b) == 0.5
    assert distance("mse", a, b) == 0.25
    torch.testing.assert_close(distance("charbonnier", a, b), torch.tensor(0.5), atol=1e-5, rtol=0)


def test_features_are_apart_as_pictures_are():
    network = features("effnet-lite0,size=64")
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    nudged = (picture + 0.02 * torch.randn(picture.shape)).requires_grad_()
    near, far = features_apart(network, nudged, picture), features_apart(network, -picture, picture)
    assert features_apart(network, picture, picture) < 1e-5 < near < far
    assert torch.autograd.grad(near, nudged)[0].abs().sum() > 0


@pytest.mark.parametrize("kind", ["vgg", "unet"])
def test_srgan_updates_the_discriminator_first_and_weighs_its_terms(kind):
    torch.manual_seed(0)
    from ganzoo_vanilla.losses import Relativistic

    strategy = SRGAN(SRGAN.Config(pixel=2.0, perceptual=0.0, adversarial=3.0), Relativistic())
    settings = {"scale": 4, "channels": 3, "width": 4, "depth": 1}
    nets = type(
        "Nets", (), {"generator": ganzoo.build("srresnet", **settings), "discriminator": discriminator(kind, 3, 4)}
    )
    batch = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32)
    first, second = strategy.step(nets, iter([batch]))
    assert (first.networks, second.networks) == ((nets.discriminator,), (nets.generator,))
    assert isinstance(second, Update)
    wanted = 2 * second.metrics["pixel"] + 3 * second.metrics["adversarial"]
    torch.testing.assert_close(second.loss, wanted)
    assert strategy.features is None
