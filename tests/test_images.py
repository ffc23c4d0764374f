"""Tensors as pictures."""

import io

import pytest
import torch
from PIL import Image

from ganzoo.errors import GanzooError
from ganzoo.images import grid, png, to_pil


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_tensor_is_a_picture_of_its_values(channels, mode):
    image = torch.zeros(channels, 4, 6)
    image[:, 1, 2] = 1
    image[:, 0, 0] = 0.5
    picture = to_pil(image)
    assert (picture.mode, picture.size) == (mode, (6, 4))
    assert picture.convert("L").getpixel((2, 1)) == 255
    assert picture.convert("L").getpixel((0, 0)) == 128
    assert to_pil(image + 9).convert("L").getextrema() == (255, 255)  # clamped, not wrapped


def test_a_grid_goes_row_by_row():
    images = torch.arange(6).div(5)[:, None, None, None].expand(6, 1, 4, 4)
    sheet = grid(images, columns=3)
    assert sheet.size == (3 * 6 + 2, 2 * 6 + 2)
    seen = [sheet.getpixel((2 + 6 * (i % 3) + 1, 2 + 6 * (i // 3) + 1))[0] for i in range(6)]
    assert seen == [0, 51, 102, 153, 204, 255]
    assert grid(images[:5], columns=3).getpixel((15, 9)) == (255, 255, 255)  # an empty place is white


def test_a_label_takes_no_more_room_than_a_line_has():
    images = torch.zeros(4, 3, 28, 28)
    assert grid(images, 2, ["x" * 100_000, "y"]).size[0] < 1000
    assert grid(images, 2, ["two\nlines", "y"]).size == grid(images, 2, ["two lines", "y"]).size


def test_labels_make_room_at_the_left():
    images = torch.zeros(4, 3, 28, 28)
    plain, labelled = grid(images, 2), grid(images, 2, ["cat", "a longer name"])
    assert labelled.size[0] > plain.size[0]
    margin = labelled.crop((0, 0, labelled.size[0] - plain.size[0], labelled.size[1]))
    assert margin.convert("L").getextrema()[0] < 128  # something is written there


def test_a_png_is_read_back():
    picture = to_pil(torch.rand(3, 5, 5))
    assert Image.open(io.BytesIO(png(picture))).tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda x: grid(x, 0), "columns must be a whole number from 1 on, not 0"),
        (lambda x: grid(x, 2.5), "columns must be a whole number from 1 on, not 2.5"),
        (lambda x: grid(x, scale=0), "scale must be a whole number"),
        (lambda x: grid(x[0]), r"images must be a tensor \(N, C, H, W\) .* not a tensor of shape \(1, 4, 6\)"),
        (lambda x: grid(x[:0]), r"not a tensor of shape \(0, 1, 4, 6\)"),
        (lambda x: grid(x.numpy()), "images must be a tensor .*, not ndarray"),
        (lambda x: to_pil(x), r"one image must be a tensor \(C, H, W\) .* not a tensor of shape \(3, 1, 4, 6\)"),
        (lambda x: to_pil(x[0].expand(2, 4, 6)), "with 1 or 3 channels"),
    ],
)
def test_what_is_no_picture_is_said(ask, words):
    with pytest.raises(GanzooError, match=words):
        ask(torch.zeros(3, 1, 4, 6))
