"""The layout of images in memory: chosen where it is left out, and without influence on what is learnt."""

import pytest
import torch

import ganzoo
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
from ganzoo.resolve import resolve
from ganzoo.run import Run
from tests.support import tiny


def engine(recipe, folder):
    return Engine(resolve(recipe), Run(folder), Processes("cpu"), Observers())


@pytest.mark.parametrize(
    ("name", "settings", "chosen"),
    [
        ("cgan-mnist", {"training.batch_size": 4}, True),
        ("cgan-mnist", {"training.batch_size": 4, "training.accumulate": 2}, False),
        ("cgan-mnist", {"training.batch_size": 4, "training.channels_last": False}, False),
        ("cgan-mnist", {"training.batch_size": 2}, False),
        ("cgan-mnist", {"training.batch_size": 2, "training.channels_last": True}, True),
        ("gan-mnist", {"training.batch_size": 64}, False),
        ("biggan-mnist", {"training.batch_size": 4}, True),
        ("stylegan2-mnist", {"training.batch_size": 4}, True),
        ("infogan-mnist", {"training.batch_size": 4}, True),
        ("vae-mnist", {"training.batch_size": 4}, True),
    ],
)
def test_convolutional_networks_are_channels_last_from_four_images_on(name, settings, chosen, tmp_path):
    made = engine(tiny(name).changed(settings), tmp_path)
    weights = [w for net in made.networks.values() for w in net.parameters() if w.dim() == 4 and w.shape[1] > 1]
    assert made.channels_last is chosen
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights) or not chosen
    assert all(w.is_contiguous() for w in weights) or chosen


def test_a_frozen_network_of_the_strategy_has_the_layout_of_the_trained_ones(tmp_path):
    parts = resolve(tiny("dcgan-mnist").changed({"training.channels_last": True}))
    parts.strategy.perception = torch.nn.Conv2d(3, 4, 3)
    Engine(parts, Run(tmp_path), Processes("cpu"), Observers())
    assert parts.strategy.perception.weight.is_contiguous(memory_format=torch.channels_last)


def test_both_layouts_learn_the_same(tmp_path):
    states = []
    for layout in (False, True):
        settings = {"training.channels_last": layout, "training.optimizer.lr": 4e-4}
        made = engine(tiny("r3gan-mnist").changed(settings), tmp_path / str(layout))
        made._step()
        made._step()
        states.append([w.detach() for net in made.networks.values() for w in net.parameters()])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*states, strict=True))


def test_a_channels_last_training_resumes_exactly(tmp_path):
    recipe = tiny("dcgan-mnist").changed({"training.channels_last": True, "training.images": 16, "training.ema": {}})
    whole = ganzoo.train(recipe, out=tmp_path / "whole", device="cpu")
    ganzoo.train(recipe.changed({"training.images": 8}), out=tmp_path / "parts", device="cpu")
    parts = ganzoo.train(recipe, out=tmp_path / "parts", device="cpu")
    name = "model.safetensors"
    assert (whole.newest_export() / name).read_bytes() == (parts.newest_export() / name).read_bytes()
