"""Combinations that are seldom meant: a training says so once, and the recipes that ship hold none."""

import logging

import pytest

import ganzoo
from ganzoo.engine.cautions import cautions
from ganzoo.registry import registry
from ganzoo.resolve import resolve

SHORT = {"training.images": 32, "training.batch_size": 16}
CONV = "dcgan-mnist"


def said(recipe, out, caplog):
    with caplog.at_level(logging.WARNING, "ganzoo"):
        ganzoo.train(recipe.changed(SHORT), out=out, device="cpu")
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("changes", "who"),
    [
        ({"strategy.name": "r1r2", "loss.name": "relativistic"}, "strategy 'r1r2'"),
        ({"strategy.name": "wgan-gp", "loss.name": "wasserstein"}, "strategy 'wgan-gp'"),
        ({"regularizers.r1": {}}, "regularizer 'r1'"),
        ({"regularizers.dragan": {}}, "regularizer 'dragan'"),
    ],
)
def test_a_penalty_of_each_image_s_slope_through_batch_norm(tmp_path, caplog, changes, who):
    recipe = ganzoo.recipe(CONV).changed(changes)
    (caution,) = said(recipe, tmp_path / "norm", caplog)
    assert caution.startswith(f"{who} penalises the slope of 'discriminator' at each image")
    assert 'architecture.discriminator_norm = "none"' in caution
    caplog.clear()
    assert said(recipe.changed({"architecture.discriminator_norm": "none"}), tmp_path / "none", caplog) == []


def test_a_wasserstein_loss_whose_critic_may_be_as_steep_as_it_likes(tmp_path, caplog):
    recipe = ganzoo.recipe("gan-mnist").changed({"loss.name": "wasserstein"})
    (caution,) = said(recipe, tmp_path / "free", caplog)
    assert "the loss 'wasserstein' can fall for ever" in caution
    caplog.clear()
    for name in ("spectral-norm", "gradient-penalty"):
        bounded = recipe.changed({f"regularizers.{name}": {}})
        assert not any("for ever" in line for line in said(bounded, tmp_path / name, caplog))


def test_it_is_said_when_a_run_begins_and_not_when_it_goes_on(tmp_path, caplog):
    recipe = ganzoo.recipe("gan-mnist").changed({"loss.name": "wasserstein"})
    assert said(recipe, tmp_path / "run", caplog)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "ganzoo"):
        ganzoo.train(recipe.changed(SHORT | {"training.images": 64}), out=tmp_path / "run", device="cpu")
    assert "for ever" not in caplog.text


@pytest.mark.parametrize(
    "name", [n for n in registry().names("recipe") if registry().entry("recipe", n).plugin.first_party]
)
def test_no_recipe_that_ships_is_cautioned_against(name):
    parts = resolve(ganzoo.recipe(name))
    networks = {n: parts.architecture.build(n) for n in parts.strategy.networks}
    assert list(cautions(parts, networks)) == []
