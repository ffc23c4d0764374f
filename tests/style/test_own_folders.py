"""Translators of a person's own two folders: what is held out of them, and that they are measured and judged by it."""

import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo import NothingHeldOut
from ganzoo_style.folders import FolderPairs, FolderUnpaired

COUNTS = {"a": 900, "b": 1000}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Grey noise, each picture another; those of b are brighter."""
    place, draw = tmp_path_factory.mktemp("folders"), np.random.default_rng(0)
    for domain, count in COUNTS.items():
        (place / domain).mkdir()
        for i in range(count):
            pixels = draw.integers(0, 128, (16, 16), np.uint8) + (100 if domain == "b" else 0)
            Image.fromarray(pixels).save(place / domain / f"{i}.{'png' if domain == 'a' else 'bmp'}")
    return {"a": str(place / "a"), "b": str(place / "b"), "size": 16}


def held(kind, data, **settings):
    return [kind(kind.Config.read(data | settings | {"split": split})) for split in ("train", "test")]


def rows(column):
    return [image.numpy().tobytes() for image in column]


def test_pairs_are_held_out_together(folders):
    train, test = held(FolderPairs, folders)
    assert train.spec.count + test.spec.count == 900
    assert test.spec.name == "a and b, paired, test"
    everything = FolderPairs(FolderPairs.Config.read(folders | {"held_out": False}))
    partners = dict(zip(rows(everything.data["a"]), rows(everything.data["b"]), strict=True))
    for data in (train, test):
        assert [partners[a] for a in rows(data.data["a"])] == rows(data.data["b"])
    with pytest.raises(NothingHeldOut, match="data.held_out is false"):
        held(FolderPairs, folders, held_out=False)


def test_unpaired_pictures_are_held_out_of_each_domain_and_shown_once(folders):
    train, test = held(FolderUnpaired, folders)
    for domain in "ab":
        assert not set(rows(train.data[domain])) & set(rows(test.data[domain]))
        assert len(set(rows(test.data[domain]))) == test.spec.count >= 100
    with pytest.raises(NothingHeldOut, match=r"'.*a' \(900 images\) and '.*b' \(1000 images\) holds nothing out"):
        held(FolderUnpaired, folders, held_out=False)


def test_a_translator_of_own_folders_is_measured_and_judged(folders, tmp_path, command):
    data = {"name": "folder-unpaired", **folders}
    small = {"training.images": 4, "training.batch_size": 2, "architecture.width": 4}
    recipe = ganzoo.Recipe.parse(ganzoo.recipe("cut-noto-twemoji").tables() | {"data": data}).changed(small)
    ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    done = command("evaluate", f"file:{tmp_path / 'run'}", "--features", "digits-cnn")
    assert done.code == 0
    assert "reference a and b, unpaired, test, b" in done.out
    assert "gate of translation models" in done.out
    assert "left out" not in done.out  # a pair of unpaired pictures is none
    assert "Copies" in done.out
