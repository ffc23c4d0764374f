"""Folders of pictures: what is read, what is refused, and that they measure as tensors do."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo import GanzooError
from ganzoo.evaluation.folders import Folder
from ganzoo.evaluation.measure import evaluate_pictures
from ganzoo.evaluation.pictures import Held
from ganzoo_data.folder import ImageFolder
from ganzoo_data.mnist import MNIST10k


def save(folder, name, array):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def noise(side=28, seed=0, channels=()):
    return np.random.default_rng(seed).integers(0, 256, (side, side, *channels), dtype=np.uint8)


def test_subfolders_are_classes_and_pixels_are_exact(tmp_path):
    for label in ("cat", "dog"):
        for i in range(3):
            save(tmp_path, f"{label}/{i}.png", noise(seed=i))
    folder = Folder(tmp_path)
    assert (folder.count, folder.shape, folder.label_names) == (6, (1, 28, 28), ("cat", "dog"))
    assert folder.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(next(folder.batches())[1, 0], torch.from_numpy(noise(seed=1)))


def test_a_colour_picture_makes_the_folder_colour(tmp_path):
    save(tmp_path, "a.png", noise())
    save(tmp_path, "b.png", noise(channels=(3,)))
    assert Folder(tmp_path).shape == (3, 28, 28)


def test_unreadable_pictures_are_counted_and_named(tmp_path, caplog):
    save(tmp_path, "good.png", noise())
    (tmp_path / "bad.png").write_bytes(b"no picture")
    folder = Folder(tmp_path)
    assert folder.count == 1
    assert "1 of 2 pictures can't be read: bad.png" in caplog.text
    (tmp_path / "good.png").unlink()
    with pytest.raises(GanzooError, match="none of the 1 pictures"):
        Folder(tmp_path)


def test_truncated_pictures_are_counted_and_named_too(tmp_path, caplog):
    for label in ("cat", "dog"):
        for i in range(3):
            save(tmp_path, f"{label}/{i}.png", noise(seed=i))
    Image.fromarray(noise(channels=(3,))).save(tmp_path / "cat" / "3.jpg")
    for name in ("cat/1.png", "cat/3.jpg"):  # their heads are whole
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    folder = Folder(tmp_path)
    assert (folder.count, folder.channels, folder.labels.tolist()) == (5, 1, [0, 0, 1, 1, 1])
    assert "2 of 7 pictures can't be read: cat/1.png, cat/3.jpg" in caplog.text
    assert len(next(folder.batches())) == 5


def test_pictures_are_read_as_training_reads_them(tmp_path):
    save(tmp_path, "deep.png", np.linspace(0, 65535, 28 * 28).reshape(28, 28).astype(np.uint16))
    grey = np.concatenate([np.zeros((28, 14), np.uint8), np.full((28, 14), 255, np.uint8)], axis=1)
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    Image.fromarray(grey).save(tmp_path / "turned.png", exif=turned)
    Image.fromarray(np.dstack([grey, grey])).save(tmp_path / "white.png")
    learned = ImageFolder(ImageFolder.Config(path=str(tmp_path), size=28, channels=3))
    measured = Folder(tmp_path)
    assert torch.equal(torch.stack(list(measured.each())), learned.data["image"])
    assert abs(next(measured.each()).float().mean().item() - 127.5) < 0.5


def test_sizes_are_those_of_turned_pictures(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(noise()[:20]).save(tmp_path / "a.png", exif=turned)
    save(tmp_path, "b.png", noise()[:, :20])
    assert next(Folder(tmp_path).batches()).shape == (2, 1, 28, 20)


def test_unlike_sizes_are_named_unless_a_size_is_asked_for(tmp_path):
    save(tmp_path, "a.png", noise(28))
    save(tmp_path, "b.png", noise(32))
    with pytest.raises(GanzooError, match=r"a.png is 28x28, b.png is 32x32.*--size"):
        list(Folder(tmp_path).batches())
    sized = Folder(tmp_path, size=16)
    assert next(sized.batches()).shape == (2, 1, 16, 16)
    assert sized.treatment["resize"] == "Pillow bicubic to 16x16"


@pytest.mark.parametrize(("make", "said"), [(False, "there is no folder"), (True, "holds no pictures")])
def test_a_folder_that_is_missing_or_empty(tmp_path, make, said):
    path = tmp_path / "pictures"
    if make:
        path.mkdir()
    with pytest.raises(GanzooError, match=said):
        Folder(path)


def test_a_folder_measures_as_the_same_tensor_does(tmp_path):
    test = MNIST10k(MNIST10k.Config(split="test")).data["image"]
    for i, image in enumerate(test[:60]):
        save(tmp_path, f"{i:03d}.png", image[0].numpy())
    reference, metrics = Held("held out", test[1000:1200]), ["frechet-distance", "density"]
    files = evaluate_pictures(Folder(tmp_path), reference, metrics, features="digits-cnn")
    held = evaluate_pictures(Held("tensor", test[:60]), reference, metrics, features="digits-cnn")
    for metric in metrics:
        assert files[metric].minus(held[metric]) == pytest.approx(0, abs=1e-6)
