"""Model.transform and `ganzoo transform`: pictures of any size and kind, without seams."""

import platform
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo import photos
from ganzoo.errors import GanzooError, ModelError
from ganzoo.tiling import tiles
from tests.superres.pictures import noise, picture
from tests.support import environment, python


def test_tiled_equals_whole(model):
    images = noise(1, 3, 150, 90)
    apart = (model.transform(images, tile=48) - model.transform(images)).abs().max()
    assert apart < 1 / 255 / 100
    assert model.network.context < 48  # so that there really were several tiles, each with less than the whole


@pytest.mark.parametrize("how", [{}, {"tile": 16}, {"ensemble": True}])
def test_results_can_be_changed_and_trained_on(model, how):
    result = model.transform(noise(1, 3, 24, 24), **how)
    weight = torch.ones((), requires_grad=True)
    (result * weight).sum().backward()  # which keeps the result
    assert weight.grad == pytest.approx(float(result.sum()), rel=1e-4)
    assert torch.equal(result.clone().mul_(2), result.mul_(2))


def test_too_little_context_would_show(model, monkeypatch):
    images = noise(1, 3, 96, 96)
    whole = model.transform(images)
    monkeypatch.setattr(model.network, "context", 1)
    assert (model.transform(images, tile=32) - whole).abs().max() > 1 / 255


def test_the_context_is_as_far_as_a_pixel_is_felt(model):
    images = noise(1, 3, 101, 101)
    other = images.clone()
    other[0, :, 50, 50] = 1 - other[0, :, 50, 50]
    felt = (model.network(images) - model.network(other)).abs().amax((0, 1)).nonzero() // 4 - 50
    assert felt.abs().max() <= model.network.context


def test_tiles_cover_a_picture_once(model):
    covered = np.zeros((70, 130), int)
    for tile in tiles(70, 130, model.network, 32):
        top, bottom, left, right = tile.keep
        covered[top:bottom, left:right] += 1
    assert (covered == 1).all()


def test_ensemble_is_the_mean_over_flips_and_turns(model):
    images = noise(1, 3, 20, 12)
    by_hand = []
    for turned in (images, images.transpose(2, 3)):
        for axes in ([], [2], [3], [2, 3]):
            made = model.network(turned.flip(axes) * 2 - 1).flip(axes)
            by_hand.append(made if turned is images else made.transpose(2, 3))
    expected = ((torch.stack(by_hand).clamp(-1, 1) + 1) / 2).mean(0)
    torch.testing.assert_close(model.transform(images, ensemble=True), expected, atol=1e-5, rtol=0)


def test_tensors_and_what_is_refused(model):
    images = noise(2, 3, 10, 10)
    assert model.transform(images).shape == (2, 3, 40, 40)
    bytes_ = (images * 255).byte()
    assert torch.equal(model.transform(bytes_), model.transform(bytes_.float() / 255))
    for wrong, said in (
        (images[0], "takes .N, 3, H, W."),
        (images[:, :1], "takes .N, 3, H, W."),
        ([images], "not list"),
        (bytes_.long(), "must be float"),
    ):
        with pytest.raises(ModelError, match=said):
            model.transform(wrong)
    with pytest.raises(ModelError, match="use transform"):
        model.sample(1)
    with pytest.raises(ModelError, match="use sample"):
        ganzoo.load("cgan-mnist", device="cpu").transform(images)


def test_bombs_and_damage_are_refused_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    with pytest.raises(GanzooError, match=r"can't be read \("):
        photos.read(tmp_path / "broken.png")
    Image.new("L", (300, 300)).save(tmp_path / "large.png")
    monkeypatch.setattr(photos, "MOST", 300 * 300 - 1)
    with pytest.raises(GanzooError, match="300x300 pixels, more than"):
        photos.read(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(GanzooError, match="far too large"):
        photos.read(tmp_path / "large.png")


def test_the_command_goes_on_after_a_bad_file(command, tmp_path):
    album = tmp_path / "album"
    (album / "inner").mkdir(parents=True)
    picture("RGB").save(album / "a.png")
    picture("L").save(album / "inner" / "b.jpg")
    (album / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    done = command("transform", "srresnet-photos-x4", album, "--out", out, "--device", "cpu")
    assert done.code == 1
    assert "broken.png" in done.err
    assert "2 of 3" in done.out
    assert Image.open(out / "a.png").size == (160, 96)
    assert Image.open(out / "inner" / "b.jpg").mode == "L"
    again = command("transform", "srresnet-photos-x4", album, "--out", out)
    assert again.code == 2
    assert "--force" in again.err


def test_patterns_and_bad_arguments(tmp_path):
    from ganzoo.cli.transform import _jobs

    for name in ("a.png", "b.png", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    jobs = _jobs([f"{tmp_path}/*"], tmp_path / "out", False)
    assert [target.name for _, target in jobs] == ["a.png", "b.png"]
    for inputs, out, said in (
        ([f"{tmp_path}/*.jpg"], "out", "no picture matches"),
        ([f"{tmp_path}/*"], "one.png", "there are 2 pictures"),
        ([f"{tmp_path}/a.png"], "c.txt", "is a file; name a folder"),
        ([f"{tmp_path}/a.png"], "a.png", "the picture itself"),
        ([f"{tmp_path}/a.png"], ".", "the picture itself"),
        ([f"{tmp_path}/a.png"], "new/b.gif", "ends in none of .png, .jpg"),
        ([f"{tmp_path}/a.png"], "b.xyz", "ends in none of .png, .jpg"),
        ([str(tmp_path)], "one.gif", "is one file and there are 2 pictures"),
    ):
        with pytest.raises(GanzooError, match=said):
            _jobs(inputs, tmp_path / out, True)


RESIDENT = """
import torch, ganzoo
from tests.memory import kib
model, images = ganzoo.load("srresnet-photos-x4", device="cpu"), torch.rand(1, 3, 256, 256)
before = kib("RssAnon")
made = model.transform(images)
print((kib("RssAnon") - before) // 1024)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries hold memory as they do")
def test_the_memory_that_layers_took_is_given_back():
    done = python(RESIDENT)
    assert int(done.stdout) < 26  # MiB; the result has 12, and its making takes 200


MEASURE = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "ganzoo", *sys.argv[1:]])
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


@pytest.mark.prove
def test_twenty_megapixels_need_less_than_two_gigabytes(tmp_path, monkeypatch):
    Image.effect_noise((5472, 3648), 60).convert("RGB").save(tmp_path / "large.jpg")
    command = ["transform", "srresnet-photos-x4", str(tmp_path / "large.jpg"), "--out", str(tmp_path / "larger.jpg")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True, env=environment()
    )
    code, memory = map(int, done.stdout.split()[-2:])
    assert code == 0
    assert memory < 2e9
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(tmp_path / "larger.jpg") as made:
        assert made.size == (4 * 5472, 4 * 3648)


def test_the_command_goes_on_after_an_interruption(command, tmp_path):
    """A picture is written whole or not at all, so what is there is done."""
    (tmp_path / "album").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        picture("RGB").save(tmp_path / "album" / name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_bytes(b"made before")
    given = ("transform", "srresnet-photos-x4", tmp_path / "album", "--out", tmp_path / "out", "--device", "cpu")
    done = command(*given)
    assert done.code == 2
    assert "overwrite with --force, or --skip-existing" in done.err
    done = command(*given, "--skip-existing")
    assert (done.code, done.out) == (0, f"wrote {tmp_path / 'out'} (2 of 2 pictures; 1 were there)\n")
    assert (tmp_path / "out" / "b.png").read_bytes() == b"made before"
    assert Image.open(tmp_path / "out" / "c.png").size == (160, 96)
    done = command(*given, "--skip-existing")
    assert (done.code, done.out) == (0, "wrote nothing; 3 were there\n")
    assert command(*given, "--skip-existing", "--force").code == 2
