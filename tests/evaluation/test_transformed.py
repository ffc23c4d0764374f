"""Models that transform: measured on held-out pairs, and each stopped by its gate that does nothing or harm."""

import pytest
import torch
from torch.nn.functional import max_pool2d, mse_loss

from ganzoo import GanzooError
from ganzoo.evaluation import gates, transformed
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


def test_enlarging_must_beat_bicubic():
    lazy = gates.judged(model("halves", pairs_plugin.Enlarger(2), 2), count=200)
    assert any(reason.startswith("PSNR less that of bicubic is -") for reason in lazy.reasons)
    assert "PSNR alone counts" in lazy.notes[0]  # no perceptual instrument was proven
    learned = gates.judged(model("halves", trained(), 2), count=200)
    assert learned.reasons == []
    assert [check.what for check in learned.checks][1:] == ["the fraction of copies", "the fraction of duplicates"]


def test_bicubic_itself_is_no_gain():
    held = transformed.held_out(model("halves", pairs_plugin.Enlarger(2), 2), 150)
    bicubic = transformed.evaluate_made(transformed.enlarged(held.sources, 2), held, ["psnr"])
    assert not gates.super_resolution(bicubic, bicubic).passed


def test_a_translation_must_keep_the_content_and_gain_the_style():
    same, thick, blind = (
        gates.judged(model("thick", network(1)), count=200, features="digits-cnn")
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
