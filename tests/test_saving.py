"""A model folder is written whole or not at all, and only what can be read again."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import ganzoo
from ganzoo.errors import ModelError
from ganzoo.folder import FILES
from ganzoo.registry import registry
from ganzoo.resolve import on_folder
from ganzoo.testing import checks_of
from tests.support import distribution, edit, load, tiny


def test_a_model_is_read_back_as_it_was_saved(model, folder):
    again = load(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert again.config.tables() | {"weights": 0} == model.config.tables() | {"weights": 0}
    assert torch.equal(again.sample(4, seed=0), model.sample(4, seed=0))
    again.save(folder.with_name("copy"))
    for name in FILES:
        assert (folder / name).read_bytes() == (folder.with_name("copy") / name).read_bytes()


def test_the_weights_are_stored_small_and_their_hash_recorded(folder):
    import hashlib

    weights = folder / "model.safetensors"
    assert {t.dtype for t in load_file(weights).values() if t.is_floating_point()} == {torch.float16}
    recorded = json.loads((folder / "config.json").read_text())["weights"]
    assert recorded == {"sha256": hashlib.sha256(weights.read_bytes()).hexdigest(), "size": weights.stat().st_size}


def test_weights_beyond_half_precision_are_stored_in_single(folder):
    model = load(folder)
    variances = [b for name, b in model.networks["generator"].named_buffers() if name.endswith("running_var")]
    variances[0].mul_(1e6)
    model.save(folder, force=True)
    again = load(folder)
    assert again.config.dtype == "float32"
    assert {t.dtype for t in load_file(folder / "model.safetensors").values() if t.is_floating_point()} == {
        torch.float32
    }
    assert torch.equal(again.sample(4, seed=0), model.sample(4, seed=0))


SHIPS = """
from pathlib import Path
from ganzoo import hookimpl

@hookimpl
def ganzoo_models():
    return {"digits": Path(__file__).with_name("digits")}
"""


def test_a_model_is_saved_under_another_name_and_a_licence_as_a_plugin_ships_it(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    ganzoo.load("cgan-mnist", device="cpu").save(folder)  # one that has learned something
    edit(folder, repository="user/cgan-mnist")
    load(folder).save(tmp_path / "digits", name="digits", licence="cc-by-sa-4.0")
    config = load(tmp_path / "digits").config.tables()
    assert (config["name"], config["licence"], "repository" in config) == ("digits", "cc-by-sa-4.0", False)
    card = (tmp_path / "digits" / "README.md").read_text()
    assert "license: cc-by-sa-4.0" in card
    assert 'ganzoo.load("digits")' in card
    for name in ("model.safetensors", "samples.png"):
        assert (folder / name).read_bytes() == (tmp_path / "digits" / name).read_bytes()
    distribution(tmp_path, "ganzoo-ships", "ganzoo_ships", ganzoo_ships=SHIPS)
    monkeypatch.syspath_prepend(tmp_path)
    registry.cache_clear()
    try:
        checks = checks_of("ships")
        for check in checks:
            check()
    finally:
        registry.cache_clear()
    assert len(checks) > 1


def test_a_name_that_no_model_can_have_is_refused(model, tmp_path):
    with pytest.raises(ModelError, match=r"can't be saved so: name: "):
        model.save(tmp_path / "model", name="../etc")
    with pytest.raises(ModelError, match=r"can't be saved so: licence: "):
        model.save(tmp_path / "model", licence="x" * 201)
    assert not (tmp_path / "model").exists()


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_that_exists_is_kept_without_force(model, unconditional, folder):
    before = everything(folder)
    with pytest.raises(ModelError, match="exists; choose another folder, or overwrite it with force"):
        unconditional.save(folder)
    assert everything(folder) == before
    unconditional.save(folder, force=True)
    assert load(folder).name == "gan-mnist"
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_force_replaces_a_model_and_nothing_else(model, tmp_path):
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter1.md").write_text("years of work")
    with pytest.raises(ModelError, match=r"no model folder that can be replaced \(chapter1.md\)"):
        model.save(precious, force=True)
    assert (precious / "chapter1.md").read_text() == "years of work"
    with pytest.raises(ModelError, match="no model folder"):
        model.save(precious / "chapter1.md", force=True)
    (tmp_path / "link").symlink_to(precious)
    with pytest.raises(ModelError, match="no model folder"):
        model.save(tmp_path / "link", force=True)


def test_a_neighbour_of_a_similar_name_is_left_alone(model, tmp_path):
    (tmp_path / "model.new").mkdir()
    (tmp_path / "model.new" / "mine").write_text("x")
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").name == "cgan-mnist"
    model.save(tmp_path / "model", force=True)
    assert (tmp_path / "model.new" / "mine").read_text() == "x"


@pytest.mark.parametrize("force", [False, True])
def test_a_failed_save_leaves_everything_as_it_was(model, folder, monkeypatch, force):
    target = folder if force else folder.with_name("another")
    before = everything(folder)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(ModelError, match="can't be written: No space left on device"):
        model.save(target, force=force)
    monkeypatch.undo()
    assert everything(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_place_that_cannot_be_written_is_one_sentence(model, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match="can't be written"):
        model.save(tmp_path / "file" / "model")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A picture in each of 1,400 folders with long names."""
    place = tmp_path_factory.mktemp("many")
    for i in range(1_400):
        folder = place / f"{i:04d} {'Animalia Annelida Clitellata' * 7}"
        folder.mkdir()
        Image.new("L", (8, 8), i % 256).save(folder / "a.png")
    return place


def test_a_model_of_many_classes_can_be_loaded(many, tmp_path):
    run = ganzoo.train(on_folder(tiny("cgan-mnist"), many), out=tmp_path / "run", device="cpu")
    assert (run.newest_export() / "config.json").stat().st_size > 256 * 1024
    run.model(device="cpu").save(tmp_path / "copy")
    assert load(tmp_path / "copy").labels == tuple(sorted(path.name for path in many.iterdir()))


def test_a_model_that_could_not_be_loaded_is_not_trained(many, tmp_path, monkeypatch):
    monkeypatch.setattr("ganzoo.config_size.CONFIG", 256 * 1024)
    with pytest.raises(ModelError, match="couldn't be loaded .* give its 1,400 classes shorter names"):
        ganzoo.train(on_folder(tiny("cgan-mnist"), many), out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "recipe.json").exists()
