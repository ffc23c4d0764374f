"""The larger data sets, which come in a distribution of their own."""

import pytest

from ganzoo_collections import emoji, photos, text
from ganzoo_collections.emoji import Emoji
from ganzoo_collections.glyphs import Glyphs


def test_no_emoji_stands_in_both_splits():
    def pictures(split):
        return {image.numpy().tobytes() for image in Emoji(Emoji.Config(split=split)).data["image"]}

    assert not pictures("train") & pictures("test")


def test_glyphs_of_training_are_drawn_in_other_fonts_than_those_of_testing():
    train, test = (Glyphs(Glyphs.Config(split=split)) for split in ("train", "test"))
    assert (train.spec.count, test.spec.count) == (398 * 36, 96 * 36)
    assert not set(train.fonts) & set(test.fonts)


def test_no_photograph_stands_in_both_splits():
    train, test = photos.about("train"), photos.about("test")
    assert (len(train), len(test)) == (13, 8)
    assert not {entry["original"] for entry in train} & {entry["original"] for entry in test}
    assert all(entry["author"] and entry["licence"] for entry in train + test)


@pytest.mark.parametrize(
    ("style", "train", "test"), [("noto", 1687, 224), ("twemoji", 1687, 224), ("fluent3d", 1640, 212)]
)
def test_emoji_have_captions_categories_and_three_styles(style, train, test):
    for split, count in (("train", train), ("test", test)):
        data = Emoji(Emoji.Config(style=style, split=split))
        images, labels = data.read(("image", "label"), seed=0, start=0, stop=5)
        assert images.shape == (5, 3, 64, 64)
        assert len(data.captions) == data.spec.count == count
        assert labels.max() < len(data.spec.labels) == 10
        assert data.spec.attribution


def test_styles_are_aligned_in_meaning():
    chosen = emoji.items("test", "noto", "fluent3d")
    assert len(emoji.pictures("noto", chosen)) == len(emoji.pictures("fluent3d", chosen)) == 212


def test_words_and_names():
    assert len(text.words()) == 60_540
    assert "mary" in text.names("female")
    assert len(text.names()) == 25_494
    with pytest.raises(ValueError, match="no kind of name 'middle'; there are female, last, male"):
        text.names("middle")
