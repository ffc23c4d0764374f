"""What a person's own folder holds out for measuring."""

import logging

import pytest
from PIL import Image

from ganzoo import NothingHeldOut
from ganzoo.registry import registry

Folder = registry().get("dataset", "image-folder")


def folder(path, **settings):
    return Folder(Folder.Config.read({"path": str(path), "size": 4, **settings}))


def paint(root, name, count, first=0):
    """Pictures of colours that occur once."""
    (root / name).mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        Image.new("RGB", (4, 4), (i % 256, i // 256, len(name))).save(root / name / f"{i}.png")
    return root


def colours(data):
    return {tuple(image[:, 0, 0].tolist()) for image in data.data["image"]}


def test_an_eighth_is_held_out_and_more_pictures_move_none(tmp_path, caplog):
    paint(tmp_path, "cat", 500)
    paint(tmp_path, "horse", 500)
    with caplog.at_level(logging.INFO, "ganzoo"):
        train = folder(tmp_path)
    test = folder(tmp_path, split="test")
    assert train.spec.name == f"image-folder ({tmp_path.name}, train)"
    assert f"{test.spec.count} of 1000 images are held out for measuring" in caplog.text
    assert 100 <= test.spec.count <= 150
    assert train.spec.labels == test.spec.labels == ("cat", "horse")
    assert len(colours(train) | colours(test)) == 1000
    assert not colours(train) & colours(test)
    paint(tmp_path, "cat", 200, first=500)
    assert colours(train) < colours(folder(tmp_path))
    assert colours(test) < colours(folder(tmp_path, split="test"))


def test_all_are_trained_on_where_an_eighth_is_too_few_or_when_asked_to(tmp_path):
    paint(tmp_path / "few", "cat", 300)
    paint(tmp_path / "many", "cat", 1000)
    paint(tmp_path / "many", "horse", 20)  # two or three of which would be held out
    for root, count, settings in (
        (tmp_path / "few", 300, {}),
        (tmp_path / "many", 1020, {}),
        (tmp_path / "many" / "cat", 1000, {"held_out": False}),
    ):
        data = folder(root, **settings)
        assert data.spec.count == count
        assert data.spec.name == f"image-folder ({root.name})"
        with pytest.raises(NothingHeldOut, match="holds nothing out"):
            folder(root, split="test", **settings)


def test_a_training_says_how_many_are_held_out(command, tmp_path):
    paint(tmp_path / "pictures", ".", 1000)
    small = ("architecture.width=8", "training.images=4", "training.batch_size=4")
    asked = "train", "dcgan-mnist", "--data", tmp_path / "pictures", "--out", tmp_path / "run", "--device", "cpu"
    done = command(*asked, *(part for text in small for part in ("--set", text)))
    assert done.code == 0
    assert "info: 1" in done.err
    assert "of 1000 images are held out for measuring; data.held_out=false trains on all" in done.err
