"""Every kind of picture goes through a model and stays of its kind: modes, 16 bits, alpha, floats, profiles."""

import struct

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from ganzoo import photos
from ganzoo.errors import GanzooError, ModelError
from ganzoo.features import grey as luma
from tests.superres.pictures import noise, picture


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


def test_an_array_gives_an_array(model):
    photo = picture("RGB")
    made = model.transform(np.asarray(photo))
    assert np.array_equal(made, np.asarray(model.transform(photo)))
    assert model.transform(np.asarray(photo.convert("L"))).shape == (24 * 4, 40 * 4)
    with pytest.raises(GanzooError, match=r"array of shape \(4, 4, 7\) and type uint8 is no picture"):
        model.transform(np.zeros((4, 4, 7), np.uint8))


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
