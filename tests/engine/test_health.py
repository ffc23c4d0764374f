"""The health report, on runs made to fail on purpose, on a good model and on the numbers in between."""

import json
import re

import pytest
import torch

import ganzoo
from ganzoo.engine.advice import findings
from ganzoo.engine.collapse import Watch
from ganzoo.engine.health import gradients, samples, translations
from ganzoo.engine.loop import Engine
from ganzoo.resolve import resolve
from tests.support import tiny

SMALL = {"training.images": 24_000, "training.log_every": 1000, "architecture.width": 64, "training.batch_size": 32}


def words(run):
    return "\n".join(" ".join(finding.values()) for finding in run.health()["findings"])


def test_a_run_made_to_collapse_is_recognised_while_it_runs_and_at_its_end(tmp_path, caplog):
    """The discriminator hardly learns, so the generator runs to the one image that it likes best."""
    rates = {"discriminator": {"lr": 1e-6}, "generator": {"lr": 1e-3}}
    recipe = ganzoo.recipe("gan-mnist").changed(SMALL | {"training.checkpoint_every": 2000})
    run = ganzoo.train(recipe.changed(training={"optimizer": rates}), out=tmp_path / "run", device="cpu")
    (warning,) = [record.getMessage() for record in caplog.records if "collapsed" in record.getMessage()]
    assert re.search(r"at \d[\d,]+ images what it makes lies \d+% as far apart as at \d[\d,]+ or before", warning)
    values = run.health()["values"]
    assert values["diversity"] < 0.1
    assert values["duplicates"] > 0.9
    assert "the generator has collapsed" in words(run)
    assert "the discriminator falls behind" in words(run)
    assert "hardly ever made: 0" in words(run)
    assert "vanished" not in words(run)


def test_a_run_made_to_vanish_is_recognised(tmp_path):
    """The loss of the 2014 paper's eq. 1 has no gradient left once the discriminator is sure."""
    rates = {"discriminator": {"lr": 2e-3}, "generator": {"lr": 1e-5}}
    recipe = ganzoo.recipe("gan-mnist").changed(SMALL | {"loss.name": "minimax"})
    run = ganzoo.train(recipe.changed(training={"optimizer": rates}), out=tmp_path / "run", device="cpu")
    first = run.health()["findings"][0]
    assert "the generator's gradient has vanished" in first["seen"]
    assert first["try"] == 'loss.name = "non-saturating"'
    assert "Goodfellow et al., 2014" in first["paper"]


def test_a_translator_that_makes_one_picture_of_all_has_collapsed():
    parts = resolve(tiny("cut-noto-twemoji", **{"architecture.keep_white": False}))
    network = parts.architecture.build("generator")
    as_it_is = translations(parts, {"generator": network})  # a residual one begins so
    assert 0.5 < as_it_is["diversity"] < 2
    assert findings(as_it_is, parts.recipe) == []
    network.last.bias.data[:] = 5.0
    values = translations(parts, {"generator": network})
    assert values["diversity"] < 0.01
    (finding,) = findings(values, parts.recipe)
    assert "lie 0% as far apart as real ones" in finding["seen"]
    assert network.training  # it goes on


def test_the_shipped_model_is_found_healthy(caplog):
    parts = resolve(ganzoo.recipe("cgan-mnist"))
    values = samples(parts, dict(ganzoo.load("cgan-mnist", device="cpu").networks), {})
    assert 0.8 < values["diversity"] < 1.2
    assert values["duplicates"] == 0
    assert values["label_agreement"] > 0.7  # by the nearest real image, a rough judge
    assert min(values["class_shares"].values()) > 0.05
    assert findings(values, parts.recipe) == []
    watch = Watch(parts)
    broken = parts.architecture.build("generator")
    for weight in broken.parameters():
        weight.data.fill_(float("nan"))
    for images, network in enumerate([broken, ganzoo.load("cgan-mnist", device="cpu").network, broken]):
        watch.look({"generator": network}, images)
    assert watch.highest > 1
    assert watch.well == 1
    assert "collapsed" not in caplog.text


def test_gradients_are_read_from_the_log():
    rows = [{"generator/gradient_norm": float(10 - i), "generator/update_ratio": 1e-3} for i in range(10)]
    rows[5]["generator/gradient_norm"] = 400.0
    values = gradients(rows)
    assert values["generator/gradient_end_over_start"] == pytest.approx(0.1)
    assert values["generator/gradient_peak_over_median"] == pytest.approx(400 / 6)
    assert values["generator/update_ratio"] == 1e-3
    assert gradients([]) == {}


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ({"generator/gradient_peak_over_median": 200.0}, "gradient of generator peaked at 200 times"),
        ({"generator/update_ratio": 0.3}, "steps of generator are long"),
        ({"generator/update_ratio": 1e-8}, "steps of generator are short"),
        ({"pairs_ordered": 0.999, "logit_gap": 9.0}, "the discriminator is saturated"),
        ({"label_agreement": 0.3}, "only 30% of images look like the class"),
        ({"duplicates": 0.2}, "20% have a twin"),
    ],
)
def test_each_value_has_its_words(values, seen):
    (finding,) = findings(values, ganzoo.recipe("gan-mnist"))
    assert seen in finding["seen"]
    assert finding["try"]
    assert any(year in finding["paper"] for year in ("2013", "2017", "2018", "2024"))


def test_advice_to_penalise_slopes_takes_batch_norm_away_with_it():
    collapsed = {"diversity": 0.1}
    assert 'discriminator_norm = "none"' in findings(collapsed, resolve(ganzoo.recipe("dcgan-mnist")).recipe)[0]["try"]
    assert "discriminator_norm" not in findings(collapsed, resolve(ganzoo.recipe("gan-mnist")).recipe)[0]["try"]


def test_the_ratio_of_update_to_weight_is_what_the_weights_did(tmp_path):
    recipe = tiny("gan-mnist", **{"training.log_every": 4, "training.images": 4})
    seen = {}
    original = Engine._step

    def step(self):
        before = [p.detach().clone() for p in self.networks["generator"].parameters()]
        original(self)
        moved = [(p - b).flatten() for p, b in zip(self.networks["generator"].parameters(), before, strict=True)]
        seen["ratio"] = (torch.cat(moved).norm() / torch.cat([b.flatten() for b in before]).norm()).item()

    Engine._step = step
    try:
        run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    finally:
        Engine._step = original
    (row,) = run.metrics()
    assert row["generator/update_ratio"] == pytest.approx(seen["ratio"], rel=1e-4)


def test_a_report_that_fails_costs_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("ganzoo.engine.health.samples", lambda *_: 1 / 0)
    run = ganzoo.train(tiny("gan-mnist"), out=tmp_path / "run", device="cpu")
    assert run.newest_export().is_dir()
    assert "the health of the run can't be reported: division by zero" in caplog.text
    assert run.health() == {}
    assert json.loads(run.log.read_text().splitlines()[-1])["step"] == 2
