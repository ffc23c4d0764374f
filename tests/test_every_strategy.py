"""Every registered strategy, found through the registry and run without an engine."""

import re
from collections import Counter

import pytest
import torch

import ganzoo
from ganzoo import Update
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from tests.support import tiny

NAMES = registry().names("strategy")
RECIPES = {name: [] for name in NAMES}
for recipe in registry().names("recipe"):
    RECIPES[ganzoo.recipe(recipe).strategy.name].append(recipe)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_does_and_cites_its_source(name):
    cls = registry().get("strategy", name)
    assert re.search(r"\(.*[12]\d{3}.*\)", cls.__doc__), f"{name} cites no paper"
    for field, about in cls.Config.model_fields.items():
        assert about.description, f"{name}.{field} isn't described"
        if about.annotation in (int, float):
            assert len(about.metadata) >= 2, f"{name}.{field} isn't bounded on both sides"


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_uses_it(name):
    assert RECIPES[name]


def flat(yielded):
    return [yielded] if isinstance(yielded, Update) else list(yielded)


def setting(recipe):
    torch.manual_seed(0)
    parts = resolve(tiny(recipe))
    nets = type("Nets", (), {name: parts.architecture.build(name) for name in parts.strategy.networks})

    def batches():
        start = 0
        while True:
            yield parts.dataset.read(parts.columns, 0, start, start + 4)
            start += 4

    return parts.strategy, nets, batches()


@pytest.mark.parametrize("recipe", [recipe for names in RECIPES.values() for recipe in names])
def test_a_step_runs_without_an_engine(recipe):
    strategy, nets, batches = setting(recipe)
    before = dict(strategy.__dict__)
    updates = [update for yielded in strategy.step(nets, batches) for update in flat(yielded)]
    assert updates
    named = {id(getattr(nets, name)) for name in strategy.networks}
    assert {id(network) for update in updates for network in update.networks} == named
    for update in updates:
        assert update.loss.shape == ()
        assert torch.isfinite(update.loss)
        assert all(value.shape == () and not value.requires_grad for value in update.metrics.values())
        parameters = [p for network in update.networks for p in network.parameters()]
        found = torch.autograd.grad(update.loss, parameters, allow_unused=True, retain_graph=True)
        assert any(g is not None and g.abs().sum() > 0 for g in found)
    assert strategy.__dict__ == before  # a step assigns nothing to self


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_of_a_strategy_gives_the_same_order_each_time(name):
    for recipe in RECIPES[name]:
        orders = []
        for _ in range(2):
            strategy, nets, batches = setting(recipe)
            label = {id(getattr(nets, network)): network for network in strategy.networks}
            orders.append([[label[id(n)] for n in u.networks] for us in strategy.step(nets, batches) for u in flat(us)])
        assert orders[0] == orders[1]


def test_the_critic_moves_as_often_as_it_is_told():
    strategy, nets, batches = setting("wgan-gp-mnist")
    strategy = type(strategy)(strategy.Config(critic_steps=3), strategy.loss)
    drawn = Counter()

    def counted():
        for batch in batches:
            drawn["batches"] += 1
            yield batch

    networks = [u.networks for u in strategy.step(nets, counted())]
    assert networks == [(nets.discriminator,)] * 3 + [(nets.generator,)]
    assert drawn["batches"] == 3


def test_r1r2_adds_half_gamma_times_both_penalties():
    strategy, nets, _ = setting("r3gan-mnist")
    losses = []
    for gamma in (0.0, 10.0):
        torch.manual_seed(1)
        strategy.__dict__["config"] = strategy.Config(gamma=gamma)
        first = next(strategy.step(nets, iter([next(setting("r3gan-mnist")[2])])))
        losses.append(first)
    plain, penalised = losses
    r1, r2 = penalised.metrics["r1"], penalised.metrics["r2"]
    assert r1 > 0
    assert r2 > 0
    torch.testing.assert_close(penalised.loss - plain.loss, 5 * (r1 + r2), rtol=1e-3, atol=1e-5)
