"""Models that transform: measured on held-out pairs, and each stopped by its gate that does nothing or harm."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import max_pool2d, mse_loss

import ganzoo
from ganzoo import GanzooError
from ganzoo.errors import RecipeError
from ganzoo.evaluation import gates, transformed
from ganzoo.evaluation.measure import evaluate_model
from ganzoo.folder import ModelConfig
from ganzoo.model import Model
from ganzoo.registry import registry
from tests.evaluation import pairs_plugin
from tests.support import distribution


@pytest.fixture(autouse=True)
def _installed(tmp_path, monkeypatch):
    distribution(tmp_path, "ganzoo-pairs", "tests.evaluation.pairs_plugin")
    monkeypatch.syspath_prepend(tmp_path)
    registry.cache_clear()
    yield
    registry.cache_clear()


def model(data, network, scale=None):
    """A model as training on these data would give it."""
    spec = registry().get("dataset", data)().spec
    settings = {"scale": scale} if scale else {}
    about = {
        "schema": 1,
        "name": "trained",
        "task": "transform",
        "dtype": "float32",
        "networks": ["generator"],
        "spec": spec.model_dump(mode="json"),
        "recipe": {
            "name": "trained",
            "task": "transform",
            "architecture": {"name": "enlarging", **settings},
            "strategy": {"name": "pixel"},
            "data": {"name": data},
            "training": {"images": 1},
        },
    }
    return Model(ModelConfig.read(about), {"generator": network}, (-1.0, 1.0))


def trained():
    """An enlarger that has learned for a second or two."""
    network = pairs_plugin.Enlarger(2)
    dataset, optimizer = pairs_plugin.Halves(), torch.optim.Adam(network.parameters(), 3e-3)
    torch.manual_seed(0)
    for step in range(150):
        low, high = dataset.read(("low", "high"), 0, 32 * step, 32 * step + 32)
        error = mse_loss(network(low), high)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    return network


class Thickens(pairs_plugin.Enlarger):
    def forward(self, images):
        return max_pool2d(images, 3, 1, 1)


class Blind(pairs_plugin.Enlarger):
    """Always the same thick digit."""

    def forward(self, images):
        (one,) = pairs_plugin.Thick().read(("b",), 0, 0, 1)
        return one.expand_as(images)


def judged(model, **how):
    report = evaluate_model(model, count=200, **how)
    return gates.judge(gates.family(model), report)


def test_enlarging_must_beat_bicubic():
    lazy = judged(model("halves", pairs_plugin.Enlarger(2), 2))
    assert any(reason.startswith("PSNR less that of bicubic is -") for reason in lazy.reasons)
    assert "PSNR alone counts" in lazy.notes[0]  # no perceptual instrument was proven
    learned = judged(model("halves", trained(), 2))
    assert learned.reasons == []
    assert [check.what for check in learned.checks][1:] == ["the fraction of copies", "the fraction of duplicates"]


def test_bicubic_itself_is_no_gain():
    report = transformed.evaluate(model("halves", pairs_plugin.Enlarger(2), 2), ["psnr"], count=150)
    bicubic = report.beside["bicubic"]
    assert not gates.judge("super-resolution", replace(bicubic, beside=report.beside)).passed


def test_a_translation_must_keep_the_content_and_gain_the_style():
    same, thick, blind = (
        judged(model("thick", network(1)), features="digits-cnn")
        for network in (pairs_plugin.Enlarger, Thickens, Blind)
    )
    assert [reason.split(" and must")[0] for reason in same.reasons] == [
        "the part of the kernel distance to the target that is gone is 0"
    ]
    assert thick.reasons == []
    assert any(reason.startswith("content kept is 0.") for reason in blind.reasons)
    assert any("duplicates" in reason for reason in blind.reasons)


def test_evaluate_chooses_what_suits():
    report = transformed.evaluate(model("halves", pairs_plugin.Enlarger(2), 2), count=120)
    assert set(report.measurements) == {
        "psnr,channel=Y,border=2",
        "ssim,channel=Y,border=2",
        "spectrum-distance",
        "copies",
        "duplicates",
    }
    protocol = report["psnr,channel=Y,border=2"].protocol
    assert (protocol.reference, protocol.reference_count) == ("halves (test), high", 120)
    report = transformed.evaluate(
        model("thick", pairs_plugin.Enlarger(1)), ["content"], count=60, features="digits-cnn"
    )
    assert report["content"].value > 0.9


def test_data_without_pairs_is_said():
    plain = model("halves", pairs_plugin.Enlarger(2), 2)
    plain.config.recipe["data"]["name"] = "mnist-10k"
    with pytest.raises(GanzooError, match="has image, label; a model that transforms needs low and high or a and b"):
        transformed.held_out(plain, 100)


def test_it_is_measured_while_it_trains(tmp_path):
    recipe = {
        "name": "measured",
        "task": "transform",
        "architecture": {"name": "enlarging"},
        "strategy": {"name": "near"},
        "data": {"name": "halves"},
        "training": {
            "images": 64,
            "batch_size": 32,
            "measure": {"metrics": ["psnr"], "every": 32, "count": 20},
        },
    }
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    rows = [row["measured/psnr"] for row in run.metrics() if "measured/psnr" in row]
    assert len(rows) == 2
    assert 10 < rows[0] < 40
    assert run.best_export().is_dir()
    with pytest.raises(RecipeError, match="training.measure: mnist-10k .* has image, label; a model that transforms"):
        ganzoo.train(recipe | {"data": {"name": "flat"}}, out=tmp_path / "other", device="cpu")
