"""A model of two networks: which directions there are, and the way from a folder of frames to its steadiness."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.errors import ModelError
from ganzoo.folder import ModelConfig
from ganzoo.model import Model
from ganzoo.text import directions
from tests.support import distribution, ganzoo_command, tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    recipe = tiny("cyclegan-noto-twemoji", **{"training.sample_every": 2})
    return ganzoo.train(recipe, out=tmp_path_factory.mktemp("both") / "run", device="cpu")


def picture(side=64):
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_each_direction_is_a_network_of_its_own(run):
    model = ganzoo.load(f"file:{run.folder}", device="cpu")
    assert model.domains == ("noto", "twemoji")
    assert model.directions == ("noto-to-twemoji", "twemoji-to-noto")
    there, back = (model.transform(picture(), direction=direction) for direction in model.directions)
    assert not torch.equal(there, back)
    assert torch.equal(model.transform(picture()), there)
    with pytest.raises(ModelError, match=r"no direction 'noto-to-fluent'; its directions are noto-to-twemoji, twemoji"):
        model.transform(picture(), direction="noto-to-fluent")


def test_the_card_and_the_sheet_show_both_directions(run):
    folder = run.newest_export()
    assert 'transform(photo, direction="noto-to-twemoji")  # or "twemoji-to-noto"' in (folder / "README.md").read_text()
    with Image.open(folder / "samples.png") as sheet:
        assert sheet.height >= 6 * 64  # given, made and real, there and back
    drawn = sorted(run.samples.iterdir())
    assert drawn[-1].read_bytes() != drawn[0].read_bytes()  # while it trained
    assert json.loads((folder / "config.json").read_text())["networks"] == ["a_to_b", "b_to_a"]


def test_a_local_translator_gives_the_same_in_tiles_and_a_global_one_takes_the_whole(run):
    config = ModelConfig.read(json.loads((run.newest_export() / "config.json").read_text()))
    photo = picture(160)
    for norm, local in (("none", True), ("instance", False)):
        torch.manual_seed(0)
        network = ganzoo.build("cyclegan", size=64, width=4, generator="resnet", blocks=1, norm=norm)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, 0, 0.1)
        seen = []
        network.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0].shape[-1]))
        model = Model(config, {"a_to_b": network, "b_to_a": network}, (-1.0, 1.0))
        whole, tiled = model.transform(photo), model.transform(photo, tile=64)
        torch.testing.assert_close(whole, tiled, atol=1e-5, rtol=0)
        assert (min(seen) < 160) is local


def test_a_clip_is_transformed_frame_by_frame_and_its_steadiness_measured(command, run, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    scene = Image.fromarray((np.indices((64, 96)).sum(0)[:, :, None] * [1, 1, 1]).astype(np.uint8))
    for i in range(4):
        scene.crop((8 * i, 0, 8 * i + 64, 64)).save(frames / f"{i:03d}.png")
    way = ("--direction", "twemoji-to-noto", "--device", "cpu")
    done = command("transform", f"file:{run.folder}", frames, "--out", tmp_path / "made", *way)
    assert done.code == 0, done.err
    compare = ("--images", tmp_path / "made", "--sources", frames, "--metrics", "steadiness", "--json")
    measured = command("evaluate", *compare)
    assert measured.code == 0, measured.err
    assert json.loads(measured.out)["steadiness"]["value"] > 0
    wrong = command("transform", f"file:{run.folder}", frames, "--out", tmp_path / "x", "--direction", "back")
    assert wrong.code == 2
    assert "its directions are" in wrong.err


@pytest.mark.parametrize(
    ("domains", "networks", "there_are"),
    [
        (("day", "night"), 2, ("day-to-night", "night-to-day")),
        (("day", "night"), 1, ("day-to-night",)),
        ((), 1, ()),
        (("a", "b", "c"), 1, ()),
    ],
)
def test_domains_and_networks_say_the_directions(domains, networks, there_are):
    assert directions(domains, networks) == there_are


def test_info_shows_the_directions_of_a_model(run, tmp_path):
    plugin = """
        from pathlib import Path
        from ganzoo import hookimpl

        @hookimpl
        def ganzoo_models():
            return {"both-ways": Path(%r)}
    """
    distribution(tmp_path, "ganzoo-both", "ganzoo_both", ganzoo_both=plugin % str(run.newest_export()))
    done = ganzoo_command("info", "model:both-ways", paths=[tmp_path])
    assert done.returncode == 0, done.stderr
    assert "directions: noto-to-twemoji, twemoji-to-noto" in done.stdout
