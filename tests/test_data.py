"""The data that ships, and a person's own folder."""

import logging
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.registry import registry
from ganzoo.resolve import on_folder, resolve

MNIST = registry().get("dataset", "mnist-10k")
Folder = registry().get("dataset", "image-folder")


def paint(path, value, size=(40, 30), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


@pytest.fixture
def cats_and_dogs(tmp_path):
    for i in range(6):
        paint(tmp_path / "cats" / f"{i}.png", (250, 0, 0))
        paint(tmp_path / "dogs" / f"{i}.jpg", (0, 0, 250))
    return tmp_path


def folder(path, **settings):
    return Folder(Folder.Config.read({"path": str(path), "size": 28, **settings}))


def test_the_digits_are_split_by_class_and_the_splits_share_no_image():
    train, test = MNIST(), MNIST(MNIST.Config(split="test"))
    assert (train.spec.count, test.spec.count) == (8000, 2000)
    parts = train.data["label"].bincount() / test.data["label"].bincount()
    assert parts.sub(4).abs().max() < 0.05  # the same share of every class
    rows = [bytes(image.numpy()) for dataset in (train, test) for image in dataset.data["image"]]
    assert len(set(rows)) == 10_000


def test_what_a_batch_holds_depends_on_the_seed_and_the_position_alone():
    one, two = MNIST(), MNIST()
    images, labels = one.read(("image", "label"), 5, 7_990, 8_020)  # over the end of a pass
    assert images.shape == (30, 1, 28, 28)
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (-1, 1)
    for start, stop in ((7_990, 8_001), (8_001, 8_020)):
        part, part_labels = two.read(("image", "label"), 5, start, stop)
        assert torch.equal(part, images[start - 7_990 : stop - 7_990])
        assert torch.equal(part_labels, labels[start - 7_990 : stop - 7_990])
    assert not torch.equal(two.read(("label",), 6, 7_990, 8_020)[0], labels)


def test_each_pass_is_a_new_permutation():
    data = MNIST()
    first, second = (data.read(("image",), 0, start, start + 8_000)[0] for start in (0, 8_000))
    assert not torch.equal(first, second)
    assert torch.equal(first.flatten(1).sum(1).sort().values, second.flatten(1).sum(1).sort().values)


def test_a_folder_of_classes(cats_and_dogs):
    data = folder(cats_and_dogs)
    assert data.spec.labels == ("cats", "dogs")
    images, labels = data.read(("image", "label"), 0, 0, 12)
    assert images.shape == (12, 3, 28, 28)
    assert (images[labels == 0][:, 0] > 0.9).all()  # red cats
    assert (images[labels == 1][:, 2] > 0.9).all()  # blue dogs
    assert folder(cats_and_dogs, channels=1).read(("image",), 0, 0, 3)[0].shape == (3, 1, 28, 28)


def test_odd_files_are_read_and_broken_ones_named(cats_and_dogs, caplog):
    paint(cats_and_dogs / "cats" / "alpha.png", (0, 0, 0, 0), mode="RGBA")
    paint(cats_and_dogs / "cats" / "palette.gif", 3, mode="P")
    Image.fromarray(np.full((9, 9), 65535, np.uint16)).save(cats_and_dogs / "cats" / "deep.png")
    paint(cats_and_dogs / "cats" / "line.png", (9, 9, 9), size=(50, 1))
    (cats_and_dogs / "dogs" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (cats_and_dogs / "dogs" / "empty.png").touch()
    (cats_and_dogs / "notes.txt").write_text("not an image")
    with caplog.at_level(logging.WARNING, "ganzoo"):
        data = folder(cats_and_dogs)
    assert data.spec.count == 16
    assert (
        "2 of 18 images can't be read, being damaged or far too large, and are left out: broken.jpg, empty.png"
        in caplog.text
    )
    white = data.data["image"].flatten(1).amin(1)
    assert (white == 255).sum() == 2  # the transparent one on white, and the 16-bit one


def test_a_class_folder_may_be_a_link_and_a_link_back_is_no_trap(cats_and_dogs, tmp_path_factory):
    plain = folder(cats_and_dogs)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (cats_and_dogs / "cats").rename(elsewhere / "cats")
    (cats_and_dogs / "cats").symlink_to(elsewhere / "cats")
    linked = folder(cats_and_dogs)
    assert linked.spec == plain.spec
    assert linked.fingerprint() == plain.fingerprint()
    (elsewhere / "cats" / "all").symlink_to(cats_and_dogs)
    (elsewhere / "cats" / "self").symlink_to(elsewhere / "cats")
    (cats_and_dogs / "dogs" / "up").symlink_to(cats_and_dogs.parent)
    (cats_and_dogs / "dogs" / "nowhere").symlink_to(elsewhere / "nothing")
    assert folder(cats_and_dogs).fingerprint() == plain.fingerprint()


def test_hidden_files_and_folders_are_no_pictures(cats_and_dogs, caplog):
    plain = folder(cats_and_dogs)
    for name in (
        ".ipynb_checkpoints/0.png",
        "__MACOSX/cats/0.png",
        "cats/.thumbs/0.png",
        "cats/._0.png",
        "dogs/.9.png",
    ):
        paint(cats_and_dogs / name, (0, 250, 0))
    with caplog.at_level(logging.INFO, "ganzoo"):
        assert folder(cats_and_dogs).fingerprint() == plain.fingerprint()
    hidden = cats_and_dogs.rename(cats_and_dogs.with_name(".mine"))  # which is what was asked for
    assert folder(hidden).fingerprint() == plain.fingerprint()


def test_a_folder_says_what_was_found_in_it(cats_and_dogs, tmp_path_factory, caplog):
    paint(cats_and_dogs / "cats" / "6.png", (250, 0, 0))
    for name in ("mice", "newts", ".git"):
        (cats_and_dogs / name).mkdir()
    paint(cats_and_dogs / "owls" / "0.png", (0, 0, 0))
    (cats_and_dogs / "owls" / "0.png").write_bytes(b"no")
    with caplog.at_level(logging.INFO, "ganzoo"):
        folder(cats_and_dogs, channels=1)
    assert f"{cats_and_dogs}: 13 pictures in 3 classes (cats: 7, dogs: 6, owls: 0), as 28x28 grey" in caplog.text
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("class folders without a picture that can be read: mice, newts, owls" in line for line in said)
    caplog.clear()
    plain = tmp_path_factory.mktemp("plain")
    paint(plain / "0.png", (250, 0, 0))
    (plain / "nothing").mkdir()
    with caplog.at_level(logging.INFO, "ganzoo"):
        folder(plain)
    assert [record.getMessage() for record in caplog.records] == [f"{plain}: 1 picture, as 28x28 in colour"]
    caplog.clear()
    for i in range(15):
        paint(plain / "many" / f"{i:02}" / "0.png", (250, 0, 0))
    with caplog.at_level(logging.INFO, "ganzoo"):
        folder(plain / "many")
    assert "15 pictures in 15 classes (00: 1, 01: 1, " in caplog.text
    assert "11: 1, ...), as" in caplog.text


def test_images_without_classes_train_an_unconditional_recipe(tmp_path):
    for i in range(8):
        paint(tmp_path / "mine" / f"{i}.png", (i * 20, 0, 0))
    recipe = on_folder(ganzoo.recipe("gan-mnist"), tmp_path / "mine").changed({"training.images": 128})
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    assert run.spec.size == 28
    assert run.spec.channels == 1  # as the recipe's own data
    assert run.model().sample(2, seed=0).shape == (2, 1, 28, 28)


def test_a_model_of_own_pictures_says_what_it_is_and_not_that_it_makes_digits(cats_and_dogs, tmp_path_factory, command):
    out = tmp_path_factory.mktemp("runs") / "run"
    for images in (64, 128):  # the second goes on with the first, whatever the summary says
        code, _, said = command(
            "train", "ada-mnist", "--data", cats_and_dogs, "--out", out, "--device", "cpu",
            "--set", f"training.images={images}", "--set", "training.batch_size=8", "--set", "architecture.width=8",
            "--set", "loss.name=hinge",
        )  # fmt: skip
        assert code == 0, said
    model = ganzoo.load(f"file:{out}", device="cpu")
    name = cats_and_dogs.name
    assert (
        model.config.summary == f"networks dcgan, loss hinge, strategy gan, ada, r1; trained on the pictures of {name}"
    )
    card = (ganzoo.Run(out).newest_export() / "README.md").read_text()
    assert "digits" not in card.split("## Methods")[0]


def test_a_conditional_recipe_takes_its_labels_from_the_folders(cats_and_dogs, tmp_path):
    recipe = on_folder(ganzoo.recipe("cgan-mnist"), cats_and_dogs).changed(
        {"training.images": 16, "training.batch_size": 8, "architecture.width": 8}
    )
    model = ganzoo.train(recipe, out=tmp_path / "run", device="cpu").model()
    assert model.labels == ("cats", "dogs")
    assert model.sample(3, label="dogs", seed=0).shape == (3, 1, 28, 28)


def test_one_folder_is_no_data_for_a_translator(refused, cats_and_dogs):
    asked = "train", "pix2pix-noto-fluent", "--data", cats_and_dogs, "--out", cats_and_dogs / "run"
    refused(*asked, words=('data.name = "folder-pairs" or "folder-unpaired"', "two domains"))
    assert not (cats_and_dogs / "run").exists()


def test_folders_that_cannot_be_used_are_refused_before_anything_starts(tmp_path, cats_and_dogs):
    (tmp_path / "empty").mkdir()
    paint(tmp_path / "one" / "cats" / "0.png", (1, 2, 3))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"no")
    with pytest.raises(GanzooError, match="there is no folder"):
        folder(tmp_path / "nowhere")
    with pytest.raises(GanzooError, match="holds no pictures"):
        folder(tmp_path / "empty")
    with pytest.raises(GanzooError, match="none of the 1 images"):
        folder(tmp_path / "bad")
    with pytest.raises(RecipeError, match=r"a subfolder for each class, at least two \(it has one, 'cats'\)"):
        resolve(on_folder(ganzoo.recipe("cgan-mnist"), tmp_path / "one"))


@pytest.mark.parametrize("recipe", ["gan-mnist", "srresnet-photos-x4"])
def test_an_address_or_an_archive_is_no_folder_of_pictures(refused, recipe, tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"PK")
    for given, what in (("https://example.com/a.zip", "an address"), (archive, "a file")):
        words = (f"{str(given)!r} is {what}", "fetch and unpack an archive first")
        refused("train", recipe, "--data", given, "--out", tmp_path / "run", words=words)


def test_a_name_that_is_not_utf8_is_refused_before_training(refused, cats_and_dogs, tmp_path_factory):
    tmp = tmp_path_factory.mktemp("names")
    strange = tmp / os.fsdecode(b"k\xe4se")
    shutil.copytree(cats_and_dogs, strange)
    refused("train", "cgan-mnist", "--data", strange, "--out", tmp / "run", words=(r"k\udce4se", "rename the folder"))
    shutil.copytree(strange / "cats", cats_and_dogs / strange.name)
    words = (r"['k\udce4se']", "aren't UTF-8; rename them")
    refused("train", "cgan-mnist", "--data", cats_and_dogs, "--out", tmp / "run", words=words)
    assert not (tmp / "run").exists()


def test_a_folder_that_changed_is_refused_on_resume(cats_and_dogs, tmp_path):
    animals = shutil.copytree(cats_and_dogs, tmp_path / "animals")
    recipe = on_folder(ganzoo.recipe("gan-mnist"), animals).changed({"training.images": 64})
    ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    paint(animals / "cats" / "new.png", (0, 0, 0))
    with pytest.raises(GanzooError, match=r"data\.count was 12 and is now 13"):
        ganzoo.train(recipe, out=tmp_path / "run", device="cpu")


def test_a_folder_of_splits_and_a_file_say_what_to_give_instead(cats_and_dogs, caplog):
    (cats_and_dogs / "cats").rename(cats_and_dogs / "train")
    (cats_and_dogs / "dogs").rename(cats_and_dogs / "test")
    folder(cats_and_dogs)
    assert f"give one of them as the folder instead, such as {cats_and_dogs / 'train'}" in caplog.text
    with pytest.raises(GanzooError, match="is a file; give the folder"):
        folder(cats_and_dogs / "train" / "0.png")


def test_a_picture_far_too_large_is_not_only_said_to_be_damaged(cats_and_dogs, caplog):
    Image.new("1", (20_000, 20_000)).save(cats_and_dogs / "cats" / "huge.png")
    assert folder(cats_and_dogs).spec.count == 12
    assert "being damaged or far too large, and are left out: huge.png" in caplog.text


def test_a_table_beside_the_pictures_is_said_to_be_left_out(cats_and_dogs, caplog):
    (cats_and_dogs / "metadata.csv").write_text("file_name,text\ncats/0.png,a cat\n")
    assert folder(cats_and_dogs).spec.labels == ("cats", "dogs")
    assert "metadata.csv beside the images isn't read; captions in it are taken by data huggingface" in caplog.text
