"""Domains: pairs stay pairs through augmentation, unpaired pictures don't meet, and bad folders are refused."""

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.errors import RecipeError
from ganzoo_collections.emoji_domains import EmojiPairs, EmojiStyles, EmojiUnpaired
from ganzoo_style.augment import Augment, augmented, uniform
from ganzoo_style.folders import FolderPairs, FolderUnpaired

ALL = {"shift": 3, "zoom": 0.2, "flip": True, "brightness": 0.3}


def folder(root, names, mode="RGB", size=(16, 16)):
    root.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        Image.new(mode, size, 20 * i if mode == "L" else (20 * i, 60, 90)).save(root / name)
    return root


def pairs(tmp_path, cls=FolderPairs, **settings):
    return cls(cls.Config.read({"a": str(tmp_path / "a"), "b": str(tmp_path / "b"), "size": 16, **settings}))


def test_the_same_emoji_by_two_hands_stand_together():
    data = EmojiPairs(EmojiPairs.Config(split="test"))
    assert data.spec.domains == ("noto", "fluent3d")
    assert data.spec.count == len(data.items) == 212  # of the 224, Fluent draws these
    row = next(i for i, item in enumerate(data.items) if item["caption"] == "strawberry")
    for domain in "ab":
        red, green, _ = (data.data[domain][row, channel].float().mean() for channel in range(3))
        assert red > green
    assert "MIT" in data.spec.licence
    assert "Google" in data.spec.attribution


def test_both_of_a_pair_are_moved_alike_and_the_move_depends_on_seed_and_position_alone():
    data = EmojiPairs(EmojiPairs.Config.read({"augment": ALL}))
    data.data["b"] = data.data["a"]
    a, b = data.read(("a", "b"), 0, 0, 8)
    assert torch.equal(a, b)
    assert torch.equal(torch.cat([data.read(("a",), 0, i, i + 1)[0] for i in range(8)]), a)
    assert not torch.equal(data.read(("a",), 1, 0, 8)[0], a)


def test_test_pictures_are_not_augmented():
    data = EmojiPairs(EmojiPairs.Config.read({"augment": ALL, "split": "test"}))
    assert all(
        (data.data["a"] == ((image + 1) * 127.5).round().byte()).flatten(1).all(1).any()
        for image in data.read(("a",), 0, 0, 4)[0]
    )


def test_unpaired_emoji_are_shuffled_apart_for_training_and_pair_for_testing():
    train, test = EmojiUnpaired(), EmojiUnpaired(EmojiUnpaired.Config(split="test"))
    for data, paired in ((train, False), (test, True)):
        data.data["b"] = data.data["a"]
        a, b = data.read(("a", "b"), 0, 0, 64)
        assert torch.equal(a, b) is paired


def test_several_styles_make_one_batch_with_the_style_as_label():
    data = EmojiStyles()
    images, labels = data.read(("image", "label"), 0, 0, 64)
    assert images.shape == (64, 3, 64, 64)
    assert set(labels.tolist()) == {0, 1, 2}
    assert data.spec.labels == data.spec.domains == ("noto", "twemoji", "fluent3d")


def test_a_shift_moves_whole_pixels_and_repeats_the_edge():
    picture = torch.arange(64.0).view(1, 1, 8, 8) / 32 - 1
    moved = augmented(picture, Augment(shift=2), torch.tensor([[0.999, 0.5, 0.5, 0.5, 0.5]]))
    torch.testing.assert_close(moved[..., :-2], picture[..., 2:], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[..., -1], picture[..., -1], atol=1e-5, rtol=0)


def test_draws_are_uniform_and_unrelated():
    draws = uniform(3, torch.arange(20_000))
    assert 0 <= draws.min() <= draws.max() < 1
    assert (draws.mean(0) - 0.5).abs().max() < 0.01
    assert (torch.histc(draws[:, 0], 10, 0, 1) / 2000 - 1).abs().max() < 0.1
    assert (torch.corrcoef(draws.T) - torch.eye(draws.shape[1])).abs().max() < 0.03


def test_folders_pair_by_file_name_and_what_has_no_partner_is_listed(tmp_path, caplog):
    folder(tmp_path / "a", ["one.png", "two.png", "extra.png"])
    folder(tmp_path / "b", ["two.jpg", "one.png", "lonely.png"])
    data = pairs(tmp_path)
    assert data.spec.count == 2
    assert "1 of 3 images of domain a have no partner: extra" in caplog.text
    assert "1 of 3 images of domain b have no partner: lonely" in caplog.text
    assert data.spec.domains == ("a", "b")


def test_when_one_of_a_pair_cannot_be_read_both_are_left_out(tmp_path, caplog):
    folder(tmp_path / "a", ["0.png", "1.png", "2.png"])
    folder(tmp_path / "b", ["0.png", "1.png", "2.png"])
    (tmp_path / "b" / "1.png").write_bytes(b"no picture")
    data = pairs(tmp_path)
    assert [column[:, 0, 0, 0].tolist() for column in data.data.values()] == [[0, 40], [0, 40]]
    assert "1.png" in caplog.text


def test_unpaired_folders_may_differ_in_length(tmp_path):
    folder(tmp_path / "a", [f"{i}.png" for i in range(5)])
    folder(tmp_path / "b", [f"x{i}.png" for i in range(3)])
    data = pairs(tmp_path, FolderUnpaired)
    assert data.spec.count == 5
    seen = [set(data.read((domain,), 0, 0, 15)[0][:, 0, 0, 0].tolist()) for domain in "ab"]
    assert [len(values) for values in seen] == [5, 3]


def test_one_name_with_two_suffixes_is_two_pictures_and_no_pair(tmp_path):
    folder(tmp_path / "a", ["x.jpg", "x.png", "y.png"])
    folder(tmp_path / "b", ["x.png", "y.png"])
    data = pairs(tmp_path, FolderUnpaired)
    assert [len(column) for column in data.data.values()] == [3, 2]
    with pytest.raises(ganzoo.GanzooError, match=r"domain a has both 'x.jpg' and 'x.png', and images pair by"):
        pairs(tmp_path)


def test_grey_pictures_of_both_domains_stay_grey(tmp_path):
    for domain in "ab":
        folder(tmp_path / domain, ["0.png", "1.png"], mode="L")
    assert pairs(tmp_path).spec.channels == 1


@pytest.mark.parametrize("cls", [FolderPairs, FolderUnpaired])
def test_unlike_channels_are_refused_until_a_person_chooses(cls, tmp_path):
    folder(tmp_path / "a", ["0.png", "1.png"], mode="L")
    folder(tmp_path / "b", ["0.png", "1.png"])
    with pytest.raises(ganzoo.GanzooError, match=r"domain a is grey and domain b in colour; say channels = 1 or"):
        pairs(tmp_path, cls)
    assert pairs(tmp_path, cls, channels=3).spec.channels == 3


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: folder(at / "a", ["0.png"]), r"there is no folder '.*b' for domain b"),
        (
            lambda at: (folder(at / "a", ["0.png"]), folder(at / "b", [])),
            r"folder '.*b' for domain b holds no pictures",
        ),
        (lambda at: (folder(at / "a", ["x.png"]), folder(at / "b", ["y.png"])), r"no image of .*a' has the file name"),
    ],
)
def test_an_empty_domain_and_pairs_that_do_not_match_are_one_sentence_before_training(make, said, tmp_path):
    make(tmp_path)
    data = {"name": "folder-pairs", "a": str(tmp_path / "a"), "b": str(tmp_path / "b"), "size": 64}
    recipe = ganzoo.Recipe.parse(ganzoo.recipe("pix2pix-noto-fluent").tables() | {"data": data})
    with pytest.raises(RecipeError, match=said) as caught:
        ganzoo.train(recipe, out=tmp_path / "run")
    assert len(caught.value.mistakes) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "folder-unpaired", "a": "a", "size": 64}, "data.b: this setting is needed"),
        ({"name": "emoji-unpaired", "source": "noto", "target": "noto"}, "source and target are both 'noto'"),
        ({"name": "emoji"}, "'emoji' has no 'a', which this recipe needs"),
    ],
)
def test_one_domain_only_is_refused(data, said, tmp_path):
    recipe = ganzoo.Recipe.parse(ganzoo.recipe("cut-noto-twemoji").tables() | {"data": data})
    with pytest.raises(RecipeError, match=said):
        ganzoo.train(recipe, out=tmp_path / "run")


def test_a_grey_pair_trains(tmp_path):
    generator = np.random.default_rng(0)
    for domain in "ab":
        (tmp_path / domain).mkdir()
        for i in range(4):
            Image.fromarray(generator.integers(0, 255, (16, 16), np.uint8)).save(tmp_path / domain / f"{i}.png")
    data = {"name": "folder-pairs", "a": str(tmp_path / "a"), "b": str(tmp_path / "b"), "size": 16}
    small = {"training.images": 4, "training.batch_size": 2, "architecture.width": 4, "strategy.perceptual": 0.0}
    recipe = ganzoo.Recipe.parse(ganzoo.recipe("pix2pix-noto-fluent").tables() | {"data": data}).changed(small)
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    assert run.spec.channels == 1
    assert run.recipe.architecture.settings["channels"] == 1
