"""The networks of translation: what they keep, how far they see, where their noise is."""

import re

import pytest
import torch
from torch import nn

import ganzoo
from ganzoo import tiling
from ganzoo.portable import Transformer
from ganzoo.recipes import Part
from ganzoo.resolve import architecture_of


def built(name, network, **settings):
    torch.manual_seed(0)
    return ganzoo.build(name, network=network, size=32, width=8, discriminator_width=8, **settings)


@pytest.mark.parametrize("generator", ["unet", "resnet"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 80)])
def test_a_picture_of_any_fitting_size_keeps_its_size(generator, height, width):
    network = built("pix2pix", "generator", generator=generator).eval()
    assert height % network.multiple == 0
    made = network(torch.rand(2, 3, height, width) * 2 - 1)
    assert made.shape == (2, 3, height, width)
    assert made.abs().max() <= 1


@pytest.mark.parametrize("norm", ["instance", "none"])
@pytest.mark.parametrize(
    ("network", "generator"), [("generator", "unet"), ("generator", "resnet"), ("discriminator", "unet")]
)
def test_every_weight_learns_from_more_than_rounding(network, generator, norm):
    """A bias before a norm would not."""
    made = built("pix2pix", network, generator=generator, norm=norm, discriminator_norm=norm, dropout=0.0).double()
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    made(*[images] * (2 if network == "discriminator" else 1)).square().sum().backward()
    slopes = {name: weight.grad.abs().max().item() for name, weight in made.named_parameters()}
    assert min(slopes.values()) > 1e-10, slopes


def test_the_noise_is_dropout_while_training_and_gone_in_evaluation_mode():
    network = built("pix2pix", "generator", dropout=0.5, norm="none")
    with torch.no_grad():
        for up in network.ups:
            nn.init.normal_(up.weight, 0, 0.2)
        pictures = torch.rand(1, 3, 32, 32)
        assert not torch.equal(network(pictures), network(pictures))
        network.eval()
        assert torch.equal(network(pictures), network(pictures))


@pytest.mark.parametrize(("name", "noisy"), [("pix2pix", True), ("cyclegan", False), ("cut", False)])
def test_there_is_noise_by_default_only_where_no_two_passes_are_compared(name, noisy):
    network = built(name, "a_to_b" if name == "cyclegan" else "generator", norm="none")
    with torch.no_grad():
        for up in network.ups:
            nn.init.normal_(up.weight, 0, 0.2)
        pictures = torch.rand(1, 3, 32, 32)
        assert torch.equal(network(pictures), network(pictures)) != noisy


def test_a_residual_unet_starts_from_the_picture_itself():
    network = built("pix2pix", "generator", residual=True).eval()
    pictures = torch.rand(2, 3, 32, 32) * 1.6 - 0.8
    assert torch.equal(network(pictures), pictures)
    anew = built("pix2pix", "generator", residual=False).eval()
    assert (anew(pictures) - pictures).abs().mean() > 0.3


@pytest.mark.parametrize(("padding", "shows"), [("zeros", True), ("replicate", False)])
def test_an_even_picture_has_no_border_where_the_border_is_repeated(padding, shows):
    network = built("pix2pix", "generator", norm="none", padding=padding).eval()
    with torch.no_grad():
        made = network(torch.full((1, 3, 96, 96), 0.3))
    middle = made[..., 48:49, 48:49]
    assert ((made - middle).abs().max() > 1e-4) == shows


def test_what_is_white_stays_white_and_the_rest_may_change():
    network = built("pix2pix", "generator", norm="none", residual=True, keep_white=True).eval()
    nn.init.constant_(network.last.bias, -0.5)
    pictures = torch.ones(1, 3, 32, 32)
    pictures[..., 8:16, 8:16] = torch.tensor([1.0, 1.0, 0.5])[:, None, None]  # yellow, though two channels are full
    pictures[..., 16:24, 16:24] = 0.875
    change = (network(pictures) - pictures)[0, 0]
    assert (change[10, 10], change[20, 20], change[2, 2]) == (-0.5, -0.25, 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"generator": "resnet", "blocks": 1},
        {"generator": "unet", "depth": 3},
        {"generator": "unet", "depth": 3, "padding": "replicate"},
    ],
)
def test_a_local_translator_sees_as_far_as_it_says_and_no_further(settings):
    network = built("pix2pix", "generator", norm="none", **settings).eval()
    for weight in network.parameters():
        nn.init.normal_(weight, 0, 0.2) if weight.dim() > 1 else nn.init.zeros_(weight)
    size, reach = 160, 0
    for middle in range(80, 88):  # how far depends on the place among the halvings
        pictures = torch.rand(1, 3, size, size) * 2 - 1
        other = pictures.clone()
        other[:, :, middle, middle] *= -1
        with torch.no_grad():
            changed = (network(pictures) != network(other)).any(1)[0].nonzero()
        reach = max(reach, (changed - middle).abs().max().item())
    assert 0.8 * network.context < reach <= network.context


def test_statistics_of_the_whole_picture_are_said():
    for generator in ("resnet", "unet"):
        assert built("pix2pix", "generator", generator=generator, norm="instance").context is None


def test_a_unet_in_tiles_gives_what_it_gives_of_the_whole_picture():
    network = built("pix2pix", "generator", depth=3, norm="none", dropout=0.0, padding="replicate").eval()
    for weight in network.parameters():
        nn.init.normal_(weight, 0, 0.1)
    picture = torch.rand(1, 3, 150, 203) * 2 - 1
    with torch.no_grad():
        whole, tiled = (tiling.transformed(network, network, picture, side) for side in (256, 64))
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)


def test_tiles_are_whole_multiples_none_empty_and_none_above_their_side():
    network = built("pix2pix", "generator", depth=3, norm="none", padding="replicate")
    for length in range(1, 600):
        for side in (8, 24, 192):
            parts = [tile.keep[:2] for tile in tiling.tiles(length, 8, network, side)]
            assert [0, *(stop for _, stop in parts)] == [*(start for start, _ in parts), length]
            assert all(0 < stop - start <= side and start % network.multiple == 0 for start, stop in parts)
            assert len(parts) == -(-length // side)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (1, 40), (33, 7)])
@pytest.mark.parametrize("norm", ["instance", "none"])
@pytest.mark.parametrize("generator", ["unet", "resnet"])
def test_pictures_smaller_than_it_was_trained_on_go_through(generator, norm, height, width):
    network = built("pix2pix", "generator", generator=generator, norm=norm).eval()
    picture = torch.rand(2, 3, height, width) * 2 - 1
    with torch.no_grad():
        made = tiling.transformed(network, network, picture)
    assert made.shape == picture.shape
    assert made.isfinite().all()
    least = Transformer(network, (-1, 1), (), 0).least * network.multiple
    assert least == (32 if (generator, norm) == ("unet", "instance") else 16)  # of an exported one, which pads nothing


def test_one_pixel_left_is_enough_without_statistics_of_the_picture():
    for norm in ("none", "batch"):
        network = ganzoo.build("pix2pix", network="generator", size=16, width=4, discriminator_width=4, norm=norm)
        assert network.eval()(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 16, 16)


def test_each_logit_judges_its_own_patch_beside_its_source():
    network = built("pix2pix", "discriminator", discriminator_depth=2, discriminator_norm="none")
    images, source = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    logits = network(images, source)
    assert logits.shape == (1, 1, 8, 8)
    moved = source.clone()
    moved[:, :, :4, :4] += 1
    changed = (network(images, moved) != logits)[0, 0].nonzero()
    assert len(changed) > 0
    assert changed.max() < 4


@pytest.mark.parametrize(("depth", "side"), [(3, 38), (4, 78)])
def test_a_logit_sees_as_many_pixels_as_its_setting_says(depth, side):
    network = ganzoo.build(
        "cut", network="discriminator", size=128, width=8, discriminator_width=8, discriminator_norm="none",
        discriminator_depth=depth,
    )  # fmt: skip
    images = torch.rand(1, 3, 128, 128).requires_grad_()
    network(images)[0, 0, 64 >> depth, 64 >> depth].backward()
    rows = images.grad.abs().sum((0, 1, 3)).nonzero()
    assert rows.max() - rows.min() + 1 == side


def test_several_scales_give_a_list_and_the_features_of_their_layers():
    network = built("pix2pix", "discriminator", discriminator_depth=2, scales=2)
    images = torch.rand(2, 3, 32, 32)
    seen = network.outputs(images, images)
    assert [logits.shape[-1] for logits in seen.logits] == [8, 4]
    assert [[x.shape[-1] for x in scale] for scale in seen.features] == [[16, 8], [8, 4]]
    for one, other in zip(network(images, images), seen.logits, strict=True):
        torch.testing.assert_close(one, other)


def test_a_feature_network_judges_pictures_alone_beside_the_patches():
    network = built("pix2pix", "discriminator", backbone="effnet-lite0", mixed=8, discriminator_depth=2)
    images, source = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    logits = network(images, source)
    assert [one.shape[-1] for one in logits] == [8, 8, 4, 2, 1]
    other = network(images, source + 0.5)
    assert [torch.equal(*pair) for pair in zip(logits, other, strict=True)] == [False, True, True, True, True]
    seen = network.outputs(images, source)
    torch.testing.assert_close(seen.logits, logits)
    assert [x.shape[-1] for x in seen.features[0]] == [16, 8]
    held = {re.sub(r"(scales|heads)\..*", r"\1", name) for name, _ in network.named_parameters()}
    assert held == {"patches.scales", "projected.0.heads"}  # the feature network learns nothing


def test_features_are_judged_at_each_of_several_sizes():
    network = built("cut", "discriminator", backbone="effnet-lite0", resolutions=[64, 128], discriminator_depth=2)
    logits = network(torch.rand(2, 3, 32, 32))
    assert [one.shape[-1] for one in logits] == [8, 8, 4, 2, 1, 16, 8, 4, 2]
    near, far = network.projected
    assert near.heads[0].last.weight is not far.heads[0].last.weight
    assert near.backbone is far.backbone  # loaded once


def test_features_that_may_change_are_not_held_in_place():
    network = built("cut", "generator", depth=2)
    heads = built("cut", "heads", depth=2, free=2)
    found = [x.flatten(2).transpose(1, 2) for x in network.features(torch.rand(1, 3, 32, 32))]
    vectors = heads(found)
    assert [x.shape[1] for x in vectors] == [16 * 16, 8 * 8]
    changed = heads([found[0] + 1, found[1] + 1, *found[2:]])
    torch.testing.assert_close(vectors, changed)


def test_both_directions_are_published_and_discriminators_are_not():
    architecture = architecture_of(Part.model_validate({"name": "cyclegan", "size": 32, "width": 8}))
    assert architecture.published == ("a_to_b", "b_to_a")
    assert {"discriminator_a", "discriminator_b"} <= set(architecture.networks)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": 36, "depth": 4}, "size: 36 is no multiple of 16, which the unet needs"),
        ({"size": 32, "discriminator_depth": 4, "scales": 2}, "4 halvings at 2 scales are too many for images of 32"),
        (
            {"size": 16, "depth": 4},
            "size: 4 halvings leave one pixel of 16.*take a size of 32 or more, a smaller depth",
        ),
        (
            {"size": 32, "depth": 5},
            "size: 5 halvings leave one pixel of 32.*take a size of 64 or more, a smaller depth",
        ),
        ({"size": 64, "keep_white": True}, "keep_white: only a unet with residual = true"),
    ],
)
def test_sizes_that_the_networks_cannot_halve_are_refused(settings, said):
    with pytest.raises(ganzoo.GanzooError, match=said):
        ganzoo.build("pix2pix", **settings)
