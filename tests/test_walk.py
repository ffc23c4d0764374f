"""A walk between latents, in Python and on the command line."""

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo.cli import app
from ganzoo.cli import sample as command  # noqa: F401  (it registers itself)
from ganzoo.walk import walk


def test_the_way_begins_and_ends_at_its_latents_and_keeps_their_length():
    G = ganzoo.build("mlp", size=8, channels=1, latent_size=1000)
    torch.manual_seed(0)
    start, end = G.latent(5), G.latent(5)
    on_the_way = G.between(start, end, torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))
    torch.testing.assert_close(on_the_way[0], start[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(on_the_way[4], end[4], rtol=1e-3, atol=1e-3)
    lengths = on_the_way.norm(dim=1) / 1000**0.5
    assert lengths.sub(1).abs().max() < 0.1  # a straight line would fall to 0.7 in the middle


def test_uniform_latents_stay_uniform():
    G = ganzoo.build("pixelcnn", size=32, width=8, depth=1)
    torch.manual_seed(0)
    middle = G.between(G.latent(4), G.latent(4), torch.full((4,), 0.5))
    shares = torch.histc(middle, 4, 0, 1) / middle.numel()
    assert shares.sub(0.25).abs().max() < 0.03


def test_a_labelled_model_shows_all_classes_on_one_walk(model):
    frames = walk(model, stops=2, frames=3, seed=1)
    assert len(frames) == 6
    assert frames[0].size == (4 * 30 + 2, 3 * 30 + 2)  # ten classes in four columns
    assert walk(model, stops=2, frames=3, seed=1, label=3)[0].size == (116, 116)  # enlarged four times


def test_an_unlabelled_one_its_images(unconditional):
    frames = walk(unconditional, stops=3, frames=2, seed=1)
    assert len(frames) == 6
    assert any(one.tobytes() != frames[0].tobytes() for one in frames[1:])


def sample(*arguments):
    return CliRunner().invoke(app, ["sample", "cgan-mnist", "--interpolate", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "walk.png"], "give --out a name such as walk.gif"),
        (["--out", "walk.gif", "--grid"], "no --grid"),
        (["--out", "walk.gif", "--count", "1"], "is no number of latents"),
        (["--out", "walk.gif", "--label", "1", "--label", "2"], "--interpolate takes one --label"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    assert words in str(sample(*arguments).exception)


def test_the_command_writes_a_loop_and_overwrites_only_when_told(tmp_path):
    out = tmp_path / "walks" / "digits.gif"
    wanted = "--count", 2, "--frames", 3, "--device", "cpu", "--out", out
    assert sample(*wanted).exit_code == 0
    with Image.open(out) as made:
        assert made.n_frames == 6
        assert made.info["loop"] == 0
    assert "exists; choose another name" in str(sample(*wanted).exception)
    assert sample(*wanted, "--force").exit_code == 0
