"""Every registered recipe, from its name to samples: trained two tiny steps, resumed, exported, loaded."""

import pytest
import torch

import ganzoo
from ganzoo.registry import registry
from ganzoo.testing.makers import images_of
from tests.support import tiny


@pytest.mark.parametrize("name", registry().names("recipe"))
def test_train_resume_export_load_sample(name, tmp_path):
    recipe = tiny(name)
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    assert [row["step"] for row in run.metrics()] == [2]
    assert run.newest_export().name == "step-00000002"

    longer = recipe.changed({"training.images": 2 * recipe.training.images})
    run = ganzoo.train(longer, out=tmp_path / "run", device="cpu")
    rows = run.metrics()
    assert [row["step"] for row in rows] == [2, 4]
    assert rows[-1]["images"] == longer.training.images
    assert all(torch.isfinite(torch.tensor(list(row.values()))).all() for row in rows)

    model = ganzoo.load(f"file:{tmp_path / 'run'}", device="cpu")
    assert (model.name, model.task) == (name, recipe.task)
    assert model.config.tables()["trained"]["steps"] == 4
    card = (run.newest_export() / "README.md").read_text()
    assert name in card
    assert 'ganzoo.load("file:FOLDER")' in card
    again = ganzoo.load(f"file:{run.newest_export()}", device="cpu")
    for images, same in zip(images_of(model), images_of(again), strict=True):
        assert images.shape[:2] == (3, model.channels)
        assert model.task == "transform" or images.shape[2:] == (model.size, model.size)
        assert 0 <= images.min() < images.max() <= 1
        assert torch.equal(images, same)


def test_the_recipes_of_the_foundation_are_there():
    assert {"gan-mnist", "dcgan-mnist", "wgan-gp-mnist", "cgan-mnist", "r3gan-mnist"} <= set(registry().names("recipe"))
