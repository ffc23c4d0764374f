"""A run goes on with the examples that it began with, wherever they lie, and with no others."""

import json
import logging
import shutil

import pytest
from PIL import Image

import ganzoo
from ganzoo.errors import RunError
from ganzoo.resolve import on_folder
from ganzoo.run import Run
from tests.support import contents, tiny


def paint(folder, shade):
    for name, more in (("dark", 0), ("light", 100)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(4):
            Image.new("L", (28, 28), shade + more + i).save(folder / name / f"{i}.png")
    return folder


def train(data, out, images=8):
    return ganzoo.train(on_folder(tiny("cgan-mnist"), data, {"training.images": images}), out=out, device="cpu")


def moved(folder, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(target)
    return target


@pytest.mark.parametrize("known", ["train", None])
def test_other_pictures_in_the_same_folder_are_refused(known, tmp_path, monkeypatch):
    data = paint(tmp_path / "train", 10)
    monkeypatch.chdir(tmp_path)
    run = train(known or data, tmp_path / "run")
    before = contents(run.folder)
    paint(data, 60)
    with pytest.raises(
        RunError, match=rf"other data: the examples of '{data}' aren't those that .*--restart"
    ) as caught:
        train(known or data, tmp_path / "run", 16)
    assert caught.value.exit_code == 2
    assert contents(run.folder) == before
    paint(data, 10)
    assert train(data, tmp_path / "run", 16).metrics()[-1]["images"] == 16


def test_another_folder_of_the_same_relative_path_is_refused(tmp_path, monkeypatch):
    for place, shade in (("here", 10), ("there", 60)):
        paint(tmp_path / place / "pictures", shade)
    monkeypatch.chdir(tmp_path / "here")
    train("pictures", tmp_path / "run")
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(RunError, match=r"the examples of '.*there/pictures' aren't those that"):
        train("pictures", tmp_path / "run", 16)
    monkeypatch.chdir(tmp_path / "here")
    train("pictures", tmp_path / "run", 16)


def test_a_data_set_that_was_moved_is_gone_on_with(tmp_path, monkeypatch):
    data = paint(tmp_path / "first" / "pictures", 10)
    monkeypatch.chdir(tmp_path / "first")
    train("pictures", tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    train(data, tmp_path / "run", 16)  # by another path
    new = moved(data, tmp_path / "second" / "photos")
    run = train(new, tmp_path / "run", 24)
    assert run.recipe.data.settings["path"] == str(new)
    assert run.metrics()[-1]["images"] == 24


def test_photographs_that_changed_are_refused_and_moved_ones_are_not(tmp_path):
    def photos(folder, shade):
        folder.mkdir(exist_ok=True)
        for i in range(2):
            Image.linear_gradient("L").rotate(shade * i).save(folder / f"{i}.png")
        return folder

    def enlarge(data, images):
        settings = {"training.images": images, "data.patch": 8}
        recipe = on_folder(tiny("srresnet-photos-x4"), data, settings)
        return ganzoo.train(recipe, out=tmp_path / "run", device="cpu")

    data = photos(tmp_path / "photos", 10)
    enlarge(data, 4)
    new = moved(data, tmp_path / "elsewhere" / "mine")
    enlarge(new, 8)
    photos(new, 40)
    with pytest.raises(RunError, match="aren't those that"):
        enlarge(new, 12)


def test_a_run_that_knows_no_fingerprint_goes_on_in_the_same_folder_alone(tmp_path, monkeypatch):
    """Such as one that an earlier version began: its path is as it was typed."""
    data = paint(tmp_path / "pictures", 10)
    monkeypatch.chdir(tmp_path)

    def forget():
        file = tmp_path / "run" / "recipe.json"
        record = json.loads(file.read_text())
        del record["fingerprint"]
        record["recipe"]["data"]["path"] = "pictures"
        file.write_text(json.dumps(record))

    train(data, tmp_path / "run")
    forget()
    train(tmp_path / "run" / ".." / "pictures", tmp_path / "run", 16)
    assert Run(tmp_path / "run").fingerprint
    forget()
    with pytest.raises(RunError, match=r"data\.path was '.*pictures' and is now '.*copy'"):
        train(shutil.copytree(data, tmp_path / "copy"), tmp_path / "run", 24)


def test_a_run_is_measured_from_any_folder_and_its_saved_model_names_none(tmp_path, monkeypatch, caplog):
    paint(tmp_path / "alice" / "pictures", 10)
    monkeypatch.chdir(tmp_path / "alice")
    run = train("pictures", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert ganzoo.evaluate(f"file:{run.folder}", "duplicates", seeds=[0], count=8)["duplicates"]
    run.model(device="cpu").save(tmp_path / "saved")
    assert not [name for name, content in contents(tmp_path / "saved").items() if b"alice" in content]
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["recipe"]["data"]["path"] == "pictures"
