"""Every registered regulariser on every registered adversarial strategy, none of which knows of the other."""

import functools
import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import ganzoo
from ganzoo import Regularizer, Strategy, Update
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
from ganzoo.errors import PluginError, RecipeError
from ganzoo.registry import registry
from ganzoo.regularized import attach, discriminators, main_share, regularize, updates
from ganzoo.resolve import resolve
from ganzoo.run import Run
from ganzoo_stylegan.layers import EqualConv2d, EqualLinear
from tests.engine.tools import run
from tests.support import tiny

NAMES = registry().names("regularizer")


def adversarial():
    """A recipe of each strategy that gives an adversarial loss to its discriminator."""
    found = {}
    for recipe in registry().names("recipe"):
        strategy = ganzoo.recipe(recipe).strategy.name
        kind = registry().get("strategy", strategy)
        if kind.needs_loss and any(name.startswith("discriminator") for name in kind.networks):
            found.setdefault(strategy, recipe)
    return found


def engine(recipe, folder):
    return Engine(resolve(recipe), Run(folder), Processes("cpu"), Observers())


@pytest.mark.parametrize("recipe", adversarial().values())
@pytest.mark.parametrize("name", NAMES)
def test_it_drops_into_every_strategy(name, recipe, tmp_path):
    chosen = tiny(recipe, regularizers={name: {}})
    made = engine(chosen, tmp_path)
    made._step()
    made._step()
    assert made.parts.recipe.regularizers[name]["version"] == 1
    assert all(torch.isfinite(torch.stack(values)).all() for values in made.window.values())
    if registry().get("regularizer", name).has_term():
        assert any(key.startswith("discriminator") and key.endswith(f"/{name}") for key in made.window)


@pytest.mark.parametrize("name", NAMES)
def test_it_cites_its_paper(name):
    assert re.search(r"\(.*[12]\d{3}.*\)", registry().get("regularizer", name).__doc__)


def test_a_drop_in_penalty_gives_the_loss_and_gradient_of_the_strategy_that_has_it_built_in(tmp_path):
    """R1 and R2 on `gan` are `r1r2`."""
    built_in = tiny("r3gan-mnist", **{"architecture.width": 8})
    changes = {"strategy": {"name": "gan"}, "regularizers": {"r1": {}, "r2": {}}}
    made = [engine(r, tmp_path) for r in (built_in, ganzoo.recipe(built_in.tables() | changes))]
    for one in made:
        one._step()
    for name, weight in {"loss": 1, "gap": 1, "gradient_norm": 1, "r1": 1 / 2, "r2": 1 / 2}.items():
        first, second = (one.window[f"discriminator/{name}"][0] for one in made)
        torch.testing.assert_close(second, weight * first, rtol=1e-4, atol=1e-6)


def test_lazily_it_is_an_update_of_its_own_with_corrected_rate_and_betas(tmp_path):
    recipe = tiny("gan-mnist", regularizers={"r1": {"gamma": 2.0, "every": 3}, "r2": {"every": 3}})
    made = engine(recipe, tmp_path)
    optimizer = made.optimizers["discriminator"].optimizer
    group, share, rate = optimizer.param_groups[0], 3 / 4, recipe.training.optimizer.lr
    assert group["lr"] == pytest.approx(rate * share)
    assert group["betas"] == pytest.approx((0.5**share, 0.999**share))
    assert made.optimizers["generator"].optimizer.param_groups[0]["lr"] == rate
    counts = []
    for _ in range(6):
        before = len(made.window.get("discriminator/lazy/loss", []))
        made._step()
        counts.append(len(made.window.get("discriminator/lazy/loss", [])) - before)
    assert counts == [1, 0, 0, 1, 0, 0]
    lazy = torch.stack(made.window["discriminator/lazy/loss"])
    terms = torch.stack(made.window["discriminator/r1"]) + torch.stack(made.window["discriminator/r2"])
    torch.testing.assert_close(lazy, 3 * terms)


def test_the_share_of_main_updates_counts_each_interval_once():
    parts = resolve(tiny("gan-mnist", regularizers={"r1": {"every": 16}, "r2": {"every": 16}, "dragan": {"every": 4}}))
    assert main_share(parts.strategy, "discriminator") == pytest.approx(1 / (1 + 1 / 16 + 1 / 4))
    assert main_share(parts.strategy, "generator") == 1


def test_a_run_with_them_resumes_exactly_and_is_published_without_them(tmp_path):
    some = {"ada": {"start": 0.5, "speed": 100}, "r1": {"every": 2}, "spectral-norm": {}}
    recipe = tiny("r3gan-mnist", regularizers=some, **{"training.optimizer.schedule": "constant"})
    drawn = recipe.training.images
    longer = recipe.changed({"training.images": 2 * drawn})
    whole = ganzoo.train(longer, out=tmp_path / "whole", device="cpu")
    ganzoo.train(recipe, out=tmp_path / "parts", device="cpu")
    parts = ganzoo.train(longer, out=tmp_path / "parts", device="cpu")
    assert torch.equal(whole.model().sample(4, seed=0), parts.model().sample(4, seed=0))
    card = (whole.newest_export() / "README.md").read_text()
    assert all(word in card for word in ("Karras et al., 2020", "Mescheder et al., 2018", "Miyato et al., 2018"))


class Seldom(Strategy):
    """A discriminator that moves in every second step, as a generator's critic may."""

    def step(self, nets, batches):
        (real,) = next(batches)
        G, D = nets.generator, nets.discriminator
        if self.due(2):
            fake = G(G.latent(len(real))).detach()
            yield Update(D, self.loss.discriminator(*self.logits(D, (real, fake))))
        yield Update(G, self.loss.generator(D(G(G.latent(len(real))))))


@pytest.mark.parametrize("name", NAMES)
def test_it_waits_for_a_discriminator_that_is_not_updated_in_every_step(name):
    parts = resolve(tiny("gan-mnist"))
    kind = registry().get("regularizer", name)
    strategy = Seldom(loss=parts.loss)
    regularize(strategy, {name: kind(kind.Config())})
    nets = {n: parts.architecture.build(n) for n in strategy.networks}
    attach(strategy, "discriminator", nets["discriminator"])
    read = functools.partial(parts.dataset.read, parts.columns, 0)
    seen = ["+".join(n for n, _ in step.updates) for step in run(strategy, nets, 4, batch_size=4, read=read)]
    assert seen == ["discriminator+generator", "generator"] * 2


def test_one_with_a_term_names_a_strategy_that_never_scores_real_against_fake():
    class Alone(Seldom):
        def step(self, nets, batches):
            yield Update(nets.discriminator, nets.discriminator(next(batches)[0]).mean())

    parts = resolve(tiny("gan-mnist", regularizers={"r1": {}}))
    strategy = Alone(loss=parts.loss)
    regularize(strategy, dict(parts.strategy.regularizers))
    nets = {n: parts.architecture.build(n) for n in strategy.networks}
    read = functools.partial(parts.dataset.read, parts.columns, 0)
    with pytest.raises(PluginError, match="Alone never scored real against fake by self.loss"):
        run(strategy, nets, 1, batch_size=4, read=read)


def test_ada_raises_its_strength_when_the_discriminator_is_sure():
    ADA = registry().get("regularizer", "ada")
    ada = ADA(ADA.Config(speed=1000, target=0.6, most=0.5))
    strengths = []
    for images, sign in ((0, 1.0), (100, 1.0), (200, 0.9), (300, 0.2), (400, 0.0), (10_000, 1.0)):
        ada.after_step({"discriminator/real_sign": torch.tensor(sign)}, images)
        strengths.append(round(ada.p.item(), 4))
    assert strengths == [0.0, 0.1, 0.2, 0.1, 0.0, 0.5]
    ada.after_step({"generator/loss": torch.tensor(1.0)}, 10_050)  # a step that doesn't train the discriminator
    ada.after_step({"discriminator/real_sign": torch.tensor(0.0)}, 10_100)
    assert ada.p.item() == pytest.approx(0.4)
    images = torch.rand(64, 3, 8, 8)
    changed = (ada.augment(images) != images).flatten(1).any(1).float().mean()
    assert changed > 0.9  # seven transformations, each on half of the images
    ada.p.zero_()
    torch.testing.assert_close(ada.augment(images), images)


@pytest.mark.parametrize("loss", registry().names("loss"))
def test_ada_hears_how_sure_the_discriminator_is_whatever_its_zero_is(loss, tmp_path):
    """Relativistic pairing and Wasserstein's difference leave a number free that is added to all logits."""
    signs = []
    for bias in (0.0, 8.0, -8.0):
        made = engine(tiny("ada-mnist", loss={"name": loss}), tmp_path)
        with torch.no_grad():
            made.networks["discriminator"].head.bias.fill_(bias)
        made._step()
        signs.append(made.window["discriminator/real_sign"][0].item())
    free = loss in ("relativistic", "wasserstein")
    assert signs[1:] == ([signs[0]] * 2 if free else [1, -1])


def test_several_scales_are_heard_less_their_counterparts():
    seen = []

    class Ear(Regularizer):
        def observe(self, real, fake):
            seen.append((real, fake))
            return {}

    class Scales(nn.Module):
        def forward(self, images):
            return [self.score * images.mean((1, 2, 3)), self.score * images.amax((1, 2, 3))]

        def __init__(self):
            super().__init__()
            self.score = nn.Parameter(torch.ones(()))

    parts = resolve(tiny("gan-mnist", loss={"name": "relativistic"}))
    regularize(parts.strategy, {"ear": Ear()})
    nets = SimpleNamespace(generator=parts.architecture.build("generator"), discriminator=Scales())
    next(updates(parts.strategy, nets, iter([parts.dataset.read(parts.columns, 0, 0, 4)])))
    ((real, fake),) = seen
    assert len(real) == len(fake) == 2
    assert all(torch.equal(r, -f) and r.shape == (4,) for r, f in zip(real, fake, strict=True))


@pytest.mark.parametrize("p", [0.5, 0.8])
def test_ada_leaves_most_pictures_upright_and_their_lightness_as_it_is(p):
    """A flip does nothing to one half of its pictures, a turn to one quarter (Karras et al., 2020, appendix B)."""
    ADA = registry().get("regularizer", "ada")
    torch.manual_seed(0)
    off = {"start": p, "translation": 0.0}
    picture = torch.arange(9.0).view(1, 1, 3, 3)
    made = ADA(ADA.Config(**off, colour=False)).augment(picture.expand(20_000, -1, -1, -1))
    shares = {
        (flipped, turns): (made == given.rot90(turns, (2, 3))).flatten(1).all(1).float().mean().item()
        for flipped, given in enumerate((picture, picture.flip(3)))
        for turns in range(4)
    }
    expected = {
        (f, t): (p / 2 if f else 1 - p / 2) * (p / 4 if t else 1 - 3 * p / 4) for f in range(2) for t in range(4)
    }
    assert shares == pytest.approx(expected, abs=0.015)
    assert max(shares, key=shares.get) == (0, 0)
    rising = torch.tensor([-1.0, 0.0, 1.0]).expand(20_000, 1, 1, 3)
    coloured = ADA(ADA.Config(**off, flips=False)).augment(rising)
    assert (coloured[..., 0] < coloured[..., 2]).float().mean().item() == pytest.approx(1 - p / 2, abs=0.015)
    wide = ADA(ADA.Config(**off, colour=False)).augment(rising + torch.arange(2.0).view(2, 1))  # no quarter turns
    assert wide.shape == (20_000, 1, 2, 3)


def test_a_shift_moves_whole_pixels_and_its_gradient_moves_back():
    from ganzoo_regularizers.augmentations import shifted

    images = torch.arange(2 * 1 * 4 * 5, dtype=torch.float64).view(2, 1, 4, 5).requires_grad_()
    down, right = torch.tensor([1, 0]), torch.tensor([-2, 3])
    made = shifted(images, down, right)
    assert torch.equal(made[0, 0, 1:, :3], images[0, 0, :3, 2:])
    assert not made[0, 0, 0].any()
    assert not made[0, 0, :, 3:].any()
    assert torch.equal(made[1, 0, :, 3:], images[1, 0, :, :2])
    assert torch.autograd.gradcheck(lambda x: shifted(x, down, right), images)
    assert torch.autograd.gradgradcheck(lambda x: shifted(x, down, right) ** 2, images)


def test_diffaugment_changes_what_it_is_told_to():
    DiffAugment = registry().get("regularizer", "diffaugment")
    off = {"translation": 0.0, "cutout": 0.0, "brightness": 0.0, "saturation": 0.0, "contrast": 0.0}
    images = torch.rand(32, 3, 16, 16) * 2 - 1
    assert torch.equal(DiffAugment(DiffAugment.Config(**off)).augment(images), images)
    for name in off:
        made = DiffAugment(DiffAugment.Config(**off | {name: 0.5})).augment(images)
        assert (made != images).flatten(1).any(1).float().mean() > 0.9, name
    black = -torch.ones(8, 1, 28, 28)
    assert torch.equal(DiffAugment(DiffAugment.Config(fill=-1.0)).augment(black), black)


def test_spectral_norm_bounds_every_layer():
    SpectralNorm = registry().get("regularizer", "spectral-norm")
    D = ganzoo.build("dcgan", size=28, channels=1, width=4, discriminator_norm="none", network="discriminator")
    kinds = {name: type(layer).__name__ for name, layer in D.named_modules() if hasattr(layer, "weight")}
    assert set(kinds.values()) == {"Conv2d", "Linear"}
    before = {key: value.clone() for key, value in D.state_dict().items()}
    regularizer = SpectralNorm(SpectralNorm.Config(iterations=100))
    regularizer.attach(D)
    regularizer.after_step({}, 0)
    assert all(torch.equal(before[key], value) for key, value in D.state_dict().items())  # names and weights stay
    x = torch.rand(2, D.head.in_features)
    largest = torch.linalg.matrix_norm(D.head.weight, 2)
    torch.testing.assert_close(D.head(x), (x @ D.head.weight.T) / largest + D.head.bias, rtol=1e-3, atol=1e-5)


def normed(network, iterations=100):
    SpectralNorm = registry().get("regularizer", "spectral-norm")
    regularizer = SpectralNorm(SpectralNorm.Config(iterations=iterations))
    regularizer.attach(network)
    regularizer.after_step({}, 0)
    return network


def test_spectral_norm_bounds_weights_that_training_starts_from():
    D, other = (nn.Sequential(nn.Linear(24, 16)) for _ in "ab")
    other[0].weight.data += 9 * torch.outer(torch.rand(16), torch.rand(24))
    normed(D)
    D.load_state_dict(other.state_dict())
    weight, bias = D[0].weight, D[0].bias
    made = D(torch.eye(24)) - bias
    torch.testing.assert_close(made, weight.T / torch.linalg.matrix_norm(weight, 2), rtol=1e-3, atol=1e-5)


def test_spectral_norm_divides_layers_that_scale_their_weight_by_the_value_of_what_they_use():
    D = ganzoo.build("stylegan2", size=32, channels=1, width=4, most=8, latent_size=4, network="discriminator")
    layers = [layer for layer in D.modules() if isinstance(layer, EqualConv2d | EqualLinear)]
    layers.append(EqualLinear(6, 5, bias=0.5, rate=0.1))
    inputs = [torch.randn(3, layer.weight.shape[1], *[6] * (layer.weight.dim() - 2)) for layer in layers]
    for layer in layers:
        torch.nn.init.normal_(layer.bias)
    with torch.no_grad():
        before = [layer(x) for layer, x in zip(layers, inputs, strict=True)]
        offsets = [layer(torch.zeros_like(x)) for layer, x in zip(layers, inputs, strict=True)]
        normed(nn.ModuleList([D, layers[-1]]))
        for layer, x, out, offset in zip(layers, inputs, before, offsets, strict=True):
            largest = torch.linalg.matrix_norm(layer.weight.flatten(1) * layer.scale, 2)
            torch.testing.assert_close(layer(x), (out - offset) / largest + offset, rtol=1e-2, atol=1e-3)


def test_spectral_norm_leaves_no_weight_of_a_discriminator_as_it_is():
    for recipe in adversarial().values():
        parts = resolve(tiny(recipe))
        for name in discriminators(parts.strategy):
            D = normed(parts.architecture.build(name), iterations=1)
            for module in D.modules():
                learns = any(p.requires_grad and p.dim() > 1 for p in module.parameters(recurse=False))
                assert learns == bool(module._forward_hooks), (recipe, module)
    convolution = nn.Conv1d(4, 3, 3)
    x, matrix = torch.randn(2, 4, 9), convolution.weight.flatten(1)
    expected = nn.functional.conv1d(x, convolution.weight / torch.linalg.matrix_norm(matrix, 2), convolution.bias)
    torch.testing.assert_close(normed(nn.Sequential(convolution))(x), expected, rtol=1e-3, atol=1e-4)


def test_spectral_norm_refuses_weights_that_it_does_not_know():
    with pytest.raises(PluginError, match=r"spectral-norm can't divide '1' of Sequential, a Bilinear; it divides"):
        normed(nn.Sequential(nn.Linear(4, 4), nn.Bilinear(4, 4, 4)))


def test_mistakes_are_named_with_what_there_is():
    with pytest.raises(RecipeError) as caught:
        resolve(tiny("gan-mnist", regularizers={"r3": {}, "r1": {"gama": 1.0}, "r2": {"every": 0}}))
    text = str(caught.value)
    assert "there is no regularizer 'r3'; did you mean" in text
    assert "regularizers.r1.gama: there is no such setting" in text
    assert "regularizers.r2.every: input should be greater than or equal to 1" in text


def test_every_strategy_with_a_loss_has_a_discriminator_for_them():
    for recipe in adversarial().values():
        assert discriminators(resolve(tiny(recipe)).strategy)


class OwnConditions(Strategy):
    """Fakes are scored under conditions of their own."""

    def step(self, nets, batches):
        D = nets.discriminator
        real, fake, ours, theirs = next(batches)
        yield Update(D, self.loss.discriminator(D(real, ours), D(fake, theirs)))


class Asked(nn.Module):
    """A discriminator whose slope is its condition; it remembers the conditions that it was given."""

    def __init__(self):
        super().__init__()
        self.factor, self.conditions = nn.Parameter(torch.ones(())), []

    def forward(self, images, condition):
        self.conditions.append(condition)
        return self.factor * condition * images.sum((1, 2, 3))


def regularised(name, settings, ours, theirs):
    """The one update of a discriminator, whose gradient has squared norm condition^2 at each of 4 pixels."""
    strategy = OwnConditions(loss=registry().get("loss", "hinge")())
    kind = registry().get("regularizer", name)
    regularize(strategy, {name: kind(kind.Config(**settings))})
    nets = SimpleNamespace(generator=None, discriminator=Asked())
    images = torch.zeros(2, 1, 2, 2)
    ((update,),) = updates(strategy, nets, iter([(images, images + 1, ours, theirs)]))
    return update.metrics[name].item(), nets.discriminator.conditions[2:]


def test_images_are_regularised_under_the_condition_that_they_were_scored_under():
    ours, theirs = torch.full((2,), 2.0), torch.full((2,), 3.0)
    assert regularised("r1", {"gamma": 2.0}, ours, theirs)[0] == 4 * 2**2
    assert regularised("r2", {"gamma": 2.0}, ours, theirs)[0] == 4 * 3**2
    _, asked = regularised("consistency", {"fake_weight": 1.0}, ours, theirs)
    assert [condition[0].item() for condition in asked] == [2, 2, 3, 3]


def test_between_real_and_fake_there_is_no_condition_unless_both_have_the_same():
    ours = torch.full((2,), 2.0)
    penalty, _ = regularised("gradient-penalty", {"weight": 1.0}, ours, ours.detach())
    assert penalty == pytest.approx((4 - 1) ** 2)
    with pytest.raises(PluginError, match="under one condition and fakes under another, .*; regularise it by r1, r2"):
        regularised("gradient-penalty", {}, ours, torch.full((2,), 3.0))
