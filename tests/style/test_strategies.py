"""What each strategy trains towards, checked without an engine."""

import math
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import ganzoo
from ganzoo.registry import registry
from ganzoo_style.matching import new_edges, patches_apart, perceptual_distances
from ganzoo_style.networks import Heads
from ganzoo_style.pool import Pool


def strategy(name, loss="least-squares", **settings):
    cls = registry().get("strategy", name)
    return cls(cls.Config(**settings), registry().get("loss", loss)())


def nets(name, **settings):
    torch.manual_seed(0)
    cls = registry().get("architecture", name)
    small = {"size": 16, "width": 8, "discriminator_width": 8, "depth": 2, "discriminator_depth": 2, "dropout": 0.0}
    architecture = cls(cls.Config(**small | settings))
    return SimpleNamespace(**{network: architecture.build(network) for network in architecture.networks})


def batches(count=4):
    generator = torch.Generator().manual_seed(0)
    while True:
        yield tuple(torch.rand(count, 3, 16, 16, generator=generator) * 2 - 1 for _ in "ab")


def test_pix2pix_adds_the_weighted_l1_distance():
    n, (a, b) = nets("pix2pix"), next(batches())
    *_, update = strategy("pix2pix", l1=7.0).step(n, iter([(a, b)]))
    adversarial = ((n.discriminator(n.generator(a), a) - 1) ** 2).mean() / 2
    torch.testing.assert_close(update.loss, adversarial + 7 * (n.generator(a) - b).abs().mean())


def test_pix2pix_scores_each_picture_beside_its_own_source():
    n, (a, b) = nets("pix2pix"), next(batches())
    seen = []
    n.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given))
    next(strategy("pix2pix").step(n, iter([(a, b)])))
    (images, sources), *more = seen
    assert not more  # both in one pass
    torch.testing.assert_close(images[:4], b)
    torch.testing.assert_close(sources, torch.cat([a, a]))


@pytest.mark.parametrize("term", ["feature_matching", "perceptual", "statistics"])
def test_what_matches_features_vanishes_on_the_target_itself(term):
    n, (a, b) = nets("pix2pix"), next(batches())
    n.generator.forward = lambda x: b.clone().requires_grad_()
    losses = [list(strategy("pix2pix", l1=0.0, **{term: w}).step(n, iter([(a, b)])))[1].loss for w in (0.0, 10.0)]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-4, rtol=0)
    n.generator.forward = lambda x: a.clone().requires_grad_()
    losses = [list(strategy("pix2pix", l1=0.0, **{term: w}).step(n, iter([(a, b)])))[1].loss for w in (0.0, 10.0)]
    assert losses[1] > losses[0] + 0.05


def test_the_perceptual_network_is_no_part_of_the_state_and_its_statistics_do_not_mind_a_shift():
    made = strategy("pix2pix", perceptual=1.0)
    assert not made.state_dict()
    torch.manual_seed(0)
    picture = torch.nn.functional.interpolate(torch.rand(2, 3, 8, 8) * 2 - 1, scale_factor=8, mode="bilinear")
    shifted, noisy = picture.roll(8, 3), (picture + 0.2 * torch.randn(picture.shape)).clamp(-1, 1)
    same, shift, noise = (perceptual_distances(made.features, other, picture) for other in (picture, shifted, noisy))
    assert max(abs(distance) for distance in same) < 1e-5
    assert shift[0] > 0.2  # at each place another thing
    assert shift[1] < noise[1] / 3


def test_cyclegan_takes_both_pictures_of_a_generator_in_one_pass():
    n, (a, b) = nets("cyclegan"), next(batches())
    calls = []
    n.a_to_b.register_forward_hook(lambda _, given, made: calls.append((given[0], made)))
    update = next(strategy("cyclegan").step(n, iter([(a, b)])))
    assert [len(given) for given, _ in calls] == [8, 4]  # there with the identity, then back again
    with torch.no_grad():
        torch.testing.assert_close(calls[0][1][:4], n.a_to_b(a))  # batching changes nothing
    assert {id(network) for network in update.networks} == {id(n.a_to_b), id(n.b_to_a)}
    identity = (n.a_to_b(b) - b).abs().mean() + (n.b_to_a(a) - a).abs().mean()
    torch.testing.assert_close(update.metrics["identity"], identity.detach())


def test_half_the_weights_of_the_cyclegan_paper_are_its_loss_with_least_squares():
    n, (a, b) = nets("cyclegan"), next(batches())
    update = next(strategy("cyclegan", cycle=5.0, identity=2.5).step(n, iter([(a, b)])))
    fake_b, fake_a = n.a_to_b(a), n.b_to_a(b)
    fooled = (n.discriminator_b(fake_b) - 1).square().mean() + (n.discriminator_a(fake_a) - 1).square().mean()
    cycle = (n.b_to_a(fake_b) - a).abs().mean() + (n.a_to_b(fake_a) - b).abs().mean()
    identity = (n.a_to_b(b) - b).abs().mean() + (n.b_to_a(a) - a).abs().mean()
    torch.testing.assert_close(2 * update.loss, fooled + 10 * cycle + 5 * identity)


def test_cyclegan_hands_its_translations_to_the_pools():
    n, made = nets("cyclegan"), strategy("cyclegan", pool=6)
    for _ in range(2):
        examples = {}
        for update in made.step(n, batches()):
            examples |= update.examples
        made.keep(examples)
    assert len(made.pools["a"].images) == len(made.pools["b"].images) == 6
    again = strategy("cyclegan", pool=6)
    again.load_state_dict(made.state_dict())
    assert torch.equal(again.pools["b"].images, made.pools["b"].images)


def test_without_a_pool_the_newest_translations_are_judged():
    updates = list(strategy("cyclegan", pool=0).step(nets("cyclegan"), batches()))
    assert not any(update.examples for update in updates)


def test_a_pool_shows_some_older_pictures_and_forgets_slowly():
    torch.manual_seed(0)
    pool = Pool(50)
    assert torch.equal(pool.mixed(torch.ones(4, 3, 2, 2)), torch.ones(4, 3, 2, 2))
    for i in range(25):
        pool.add(torch.full((4, 3, 2, 2), float(i)))
    ages = pool.images[:, 0, 0, 0]
    assert len(ages) == 50
    assert ages.max() > 20
    assert ages.min() < 12
    shown = pool.mixed(torch.full((1000, 3, 2, 2), 99.0))[:, 0, 0, 0]
    assert 0.4 < (shown == 99).float().mean() < 0.6


def test_patches_that_all_look_alike_cost_the_logarithm_of_their_number():
    torch.manual_seed(0)
    heads = Heads((3,), 16)
    flat, varied = [torch.ones(2, 3, 4, 4)], [torch.randn(2, 3, 4, 4)]
    torch.testing.assert_close(patches_apart(heads, flat, flat, 16, 0.07), torch.tensor(math.log(16)))
    assert patches_apart(heads, varied, varied, 16, 0.07) < math.log(16) / 2


def framed(inner, side=16):
    """A square of one colour on white."""
    picture = torch.ones(1, 3, side, side)
    picture[..., 4 : side - 4, 4 : side - 4] = torch.tensor(inner)[:, None, None]
    return picture


def test_only_what_is_torn_out_or_drawn_into_even_areas_is_a_new_edge():
    source = framed([-1.0, 0.0, 0.5])
    assert new_edges(source, source) == 0
    assert new_edges(framed([0.0, -0.5, 0.2]), source) == 0  # other colours, where the edges were
    assert new_edges(torch.zeros_like(source), source) == 0  # evened out
    torn, lined = source.clone(), source.clone()
    torn[..., 4:8, 4:8] = 1  # a corner is background now
    lined[:, 0, 8, 5:11] = 0
    assert new_edges(torn, source) > 0.005
    assert new_edges(lined, source) > 0.005
    faded = source + torch.linspace(0, 0.5, 16)  # a slow change costs what it amounts to
    assert new_edges(faded, source) > 0.005


def test_cut_weighs_new_edges():
    n, (_, noise) = nets("cut"), next(batches())
    n.generator.forward = lambda _: noise.clone().requires_grad_()
    losses = []
    for weight in (0.0, 10.0):
        torch.manual_seed(0)
        *_, update = strategy("cut", identity=0.0, edges=weight).step(n, iter([(torch.zeros_like(noise), noise)]))
        losses.append(update.loss)
    assert update.metrics["new_edges"] > 0
    torch.testing.assert_close(losses[1] - losses[0], 10 * update.metrics["new_edges"])


def test_cut_trains_the_heads_with_the_generator_and_keeps_its_domain():
    n = nets("cut")
    first, second = strategy("cut", identity=1.0).step(n, batches())
    assert first.networks == (n.discriminator,)
    assert second.networks == (n.generator, n.heads)
    found = torch.autograd.grad(second.loss, list(n.heads.parameters()), allow_unused=True)
    assert all(g is not None and g.abs().sum() > 0 for g in found)
    *_, without = strategy("cut", identity=0.0).step(n, batches())
    assert without.metrics["contrast"] < second.metrics["contrast"]


def test_pools_are_the_same_when_a_batch_is_split(tmp_path):
    recipe = ganzoo.recipe("cyclegan-noto-twemoji").changed(
        {"training.batch_size": 4, "training.images": 8, "architecture.width": 4, "architecture.discriminator_width": 4}
    )
    counts = []
    for accumulate in (1, 2):
        run = ganzoo.train(
            recipe.changed({"training.accumulate": accumulate}), out=tmp_path / str(accumulate), device="cpu"
        )
        saved = sorted(run.checkpoints.glob("step-*"))[-1] / "strategy.safetensors"

        counts.append({name: tuple(value.shape) for name, value in load_file(saved).items()})
    assert counts[0] == counts[1]
    assert counts[0]["pools.a.images"] == (8, 3, 64, 64)
