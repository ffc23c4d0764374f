"""Model.transform and `ganzoo transform`: pictures of any size and kind, without seams."""

import platform
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

import ganzoo
from ganzoo import photos
from ganzoo.errors import GanzooError, ModelError
from ganzoo.features import grey as luma
from ganzoo.tiling import tiles
from tests.support import environment, python


@pytest.fixture(scope="module")
def model():
    return ganzoo.load("srresnet-photos-x4", device="cpu")


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def picture(mode, width=40, height=24):
    levels = (noise(height, width, 4) * 255).byte().numpy()
    if mode == "I;16":
        return Image.fromarray((levels[:, :, 0].astype(np.uint16) << 8) + levels[:, :, 1])
    return (
        Image.fromarray(levels, "RGBA").convert("L").convert(mode)
        if mode == "LA"
        else Image.fromarray(levels).convert(mode)
    )


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


@pytest.mark.parametrize(
    ("mode", "result"),
    [
        ("L", "L"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("LA", "LA"),
        ("P", "RGB"),
        ("1", "L"),
        ("CMYK", "RGB"),
        ("I;16", "I;16"),
    ],
)
def test_every_kind_of_picture(model, mode, result):
    whole = model.transform(picture(mode))
    assert (whole.mode, whole.size) == (result, (160, 96))
    parts = model.transform(picture(mode), tile=16)
    step = 257 if result == "I;16" else 1
    assert np.abs(np.asarray(whole, dtype=np.int64) - np.asarray(parts, dtype=np.int64)).max() <= step


def test_sixteen_bits_are_not_rounded_to_eight(model):
    levels = np.asarray(model.transform(picture("I;16")))
    assert len(np.unique(levels)) > 1000


@pytest.mark.parametrize("end", sorted(photos.WRITTEN))
def test_sixteen_bits_are_written_in_every_format(end, tmp_path):
    levels = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    photos.write(Image.fromarray(levels), tmp_path / f"made{end}")
    made = photos.eight_bits(photos.read(tmp_path / f"made{end}"), 1)
    assert np.abs(np.asarray(made) - levels / 257).mean() < 2


def test_alpha_is_kept(model):
    image = Image.new("RGBA", (16, 16), (200, 10, 10, 0))
    image.paste((10, 200, 10, 255), (0, 0, 8, 16))
    alpha = np.asarray(model.transform(image, tile=8).getchannel("A"))
    assert (alpha[:, :24] == 255).all()
    assert (alpha[:, 40:] == 0).all()


@pytest.mark.parametrize("size", [(1, 1), (50, 1), (1, 50), (2, 3)])
def test_the_smallest_pictures(model, size):
    assert model.transform(Image.new("RGB", size, (90, 120, 200))).size == (4 * size[0], 4 * size[1])


def test_the_camera_was_turned(model, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    picture("RGB").save(tmp_path / "turned.jpg", exif=exif)
    assert model.transform(Image.open(tmp_path / "turned.jpg")).size == (96, 160)


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


def test_an_array_gives_an_array(model):
    photo = picture("RGB")
    made = model.transform(np.asarray(photo))
    assert np.array_equal(made, np.asarray(model.transform(photo)))
    assert model.transform(np.asarray(photo.convert("L"))).shape == (24 * 4, 40 * 4)
    with pytest.raises(GanzooError, match=r"array of shape \(4, 4, 7\) and type uint8 is no picture"):
        model.transform(np.zeros((4, 4, 7), np.uint8))


RESIDENT = """
import torch, ganzoo
from tests.memory import kib
model, images = ganzoo.load("srresnet-photos-x4", device="cpu"), torch.rand(1, 3, 256, 256)
before = kib("VmRSS")
made = model.transform(images)
print((kib("VmRSS") - before) // 1024)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries hold memory as they do")
def test_the_memory_that_layers_took_is_given_back():
    done = python(RESIDENT)
    assert int(done.stdout) < 35  # MiB; the result has 12, and its making takes 200


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


def test_floats_are_pictures_in_zero_to_one(model, tmp_path):
    """Pillow would make black of them."""
    levels = noise(1, 1, 24, 40)
    expected = luma(model.transform(levels.expand(-1, 3, -1, -1)))[0, 0].numpy()
    grey = levels[0, 0].numpy()
    for given in (grey, grey.astype(np.float64), grey[:, :, None]):
        made = model.transform(given)
        assert made.dtype == np.float32
        assert np.abs(made - expected).max() < 0.02
    colour = noise(1, 3, 24, 40)
    made = model.transform(colour[0].permute(1, 2, 0).numpy())
    assert made.dtype == np.float32
    assert np.abs(made - model.transform(colour)[0].permute(1, 2, 0).numpy()).max() < 0.02
    photo = model.transform(Image.fromarray(grey))
    assert photo.mode == "I;16"
    assert np.abs(np.asarray(photo) / 65535 - expected).max() < 0.02
    Image.fromarray(grey).save(tmp_path / "grey.tif")
    read = photos.read(tmp_path / "grey.tif")
    assert np.abs(np.asarray(read) / 65535 - grey).max() < 1e-4
    for decoded in (photos.eight_bits(read, 1), photos.eight_bits(Image.fromarray(grey), 1)):
        assert np.abs(np.asarray(decoded) / 255 - grey).max() < 1 / 255


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-1, 1), (float("nan"), float("nan"))])
def test_floats_of_another_range_are_refused(model, command, tmp_path, low, high):
    grey = np.full((8, 8), low, np.float32)
    grey[3:] = high
    Image.fromarray(grey).save(tmp_path / "grey.tif")
    said = rf"from {low} to {high}.*\[0, 1\]"
    for given in (grey, Image.fromarray(grey), grey[:, :, None].repeat(3, 2)):
        with pytest.raises(GanzooError, match=said):
            model.transform(given)
    with pytest.raises(GanzooError, match=said):
        photos.eight_bits(Image.fromarray(grey), 3)
    with pytest.raises(ModelError, match=rf"from {low} to {high}"):
        model.transform(torch.from_numpy(grey).expand(1, 3, -1, -1))
    done = command("transform", model.name, tmp_path / "grey.tif", "--out", tmp_path / "out.png", "--device", "cpu")
    assert done.code == 2
    assert f"grey.tif' holds floats from {low} to {high}" in done.err
    assert not (tmp_path / "out.png").exists()


def profile(name, turn=False):
    """sRGB's profile, red and green exchanged where it is to be one that shows."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes())
    red, green = made.find(b"rXYZ"), made.find(b"gXYZ")
    if turn:
        made[red : red + 4], made[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(made)


@pytest.mark.parametrize("end", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_the_colour_profile_stays(command, model, tmp_path, end, mode):
    own = profile("sRGB", turn=True)
    picture(mode).save(tmp_path / "in.png", icc_profile=own)
    done = command("transform", model.name, tmp_path / "in.png", "--out", tmp_path / f"out{end}", "--device", "cpu")
    assert done.code == 0, done.err
    with Image.open(tmp_path / f"out{end}") as made:
        assert made.info["icc_profile"] == own
    assert model.transform(Image.open(tmp_path / "in.png")).info["icc_profile"] == own


def test_a_profile_of_other_colours_goes(model):
    for mode, kind in (("L", b"RGB "), ("RGB", b"GRAY"), ("RGB", b"CMYK"), ("I;16", b"RGB ")):
        given = picture(mode)
        given.info["icc_profile"] = profile("sRGB")[:16] + kind + profile("sRGB")[20:]
        assert "icc_profile" not in model.transform(given).info
    for mode in ("L", "LA", "I;16"):
        given = picture(mode)
        given.info["icc_profile"] = profile("sRGB")[:16] + b"GRAY" + profile("sRGB")[20:]
        assert model.transform(given).info["icc_profile"] == given.info["icc_profile"]


def inks(first):
    """The profile of a printer whose first ink has this colour, as L, a and b in 8 bits, and whose last is black."""
    lines, white, black = bytes(range(256)), bytes([255, 128, 128]), bytes([0, 128, 128])
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9i", *[65536 * (i % 4 == 0) for i in range(9)])
    table += 4 * lines + 4 * (white + black) + 4 * (bytes(first) + black) + 3 * lines
    head = bytes(4) + b"\x02\x40\0\0prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061) + bytes(48)  # the light of day, as every profile has it
    tags = struct.pack(">i", 1) + b"A2B0" + struct.pack(">2i", 144, len(table))
    return struct.pack(">i", 144 + len(table)) + head + tags + table


def test_four_inks_are_seen_by_their_profile(model):
    plain = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    given = plain.copy()
    given.info["icc_profile"] = inks((137, 208, 195))
    seen = model.transform(given)
    red, green, blue = np.asarray(seen).mean((0, 1))
    assert red > 200 > 60 > max(green, blue)  # which is no cyan
    assert "icc_profile" not in seen.info
    given.info["icc_profile"] = b"no profile"
    assert np.array_equal(model.transform(given), model.transform(plain))


def test_only_the_first_of_several_frames_is_taken_and_that_is_said(command, model, tmp_path):
    frames = [Image.fromarray((noise(32, 32) * 20).byte().numpy() + np.uint8(level)) for level in (200, 100, 0)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    content = (tmp_path / "moving.gif").read_bytes()
    (tmp_path / "cut.gif").write_bytes(content[:-900])  # a later frame is damaged
    frames[0].save(tmp_path / "still.gif")
    frames[0].save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=frames[1:2])  # with a preview, say
    out = tmp_path / "out"
    done = command("transform", model.name, tmp_path, "--out", out, "--device", "cpu")
    assert done.code == 0
    warnings = [line for line in done.err.splitlines() if line.startswith("warning:") and "cut.gif" not in line]
    assert len(warnings) == 1
    assert "moving.gif' has 3 frames, and only the first is taken" in warnings[0]
    assert np.asarray(Image.open(out / "cut.gif.png").convert("L")).mean() > 190
    assert np.asarray(Image.open(out / "moving.gif.png").convert("L")).mean() > 190


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
