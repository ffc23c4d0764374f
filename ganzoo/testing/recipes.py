"""The contract of recipes and trained models: valid, carded, trained, resumed, exported and loaded."""

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
import yaml

from ganzoo import card
from ganzoo.engine import train
from ganzoo.engine.checkpoint import newest
from ganzoo.engine.export import describe
from ganzoo.engine.observers import OnProgress
from ganzoo.errors import GanzooError
from ganzoo.model import Model
from ganzoo.recipes import Recipe
from ganzoo.resolve import Parts, resolve
from ganzoo.run import Run
from ganzoo.testing.contract import Subject, check, need
from ganzoo.testing.makers import images_of, portables
from ganzoo.testing.smallest import tiny


def _resolved(subject: Subject) -> Parts:
    try:
        return resolve(Recipe.load(subject.name))
    except GanzooError as error:
        need(False, subject, f"is not valid: {error}")
        raise


@check("recipe")
def valid(subject: Subject) -> None:
    """It is valid as it stands, is called what its file says, and has a summary."""
    recipe = _resolved(subject).recipe
    need(recipe.name == subject.name, subject, f"calls itself {recipe.name!r}; the file and its name must agree")
    need(recipe.summary.strip(), subject, 'has no summary; add summary = "..." for `ganzoo models`')


@check("recipe")
def carded(subject: Subject) -> None:
    """A card can be written for what it trains, and says the data's licence; the weights' own is the publisher's."""
    parts = _resolved(subject)
    networks = {name: parts.architecture.build(name) for name in parts.architecture.published}
    stated = parts.spec.licence.strip()
    need(stated, subject, "trains on data without a licence; name it in the dataset's spec")
    page = card.render(describe(parts, networks))
    need(stated in page.replace("\\", ""), subject, f"has a card that doesn't say its data's licence, {stated}")


@check("recipe")
def trains_and_resumes(subject: Subject) -> None:
    """Interrupted and resumed it is, bit for bit, the run that wasn't; its model folder gives images."""
    recipe = tiny(Recipe.load(subject.name))
    with tempfile.TemporaryDirectory() as place:
        one = train(recipe, Path(place) / "one", device="cpu")  # a step, whatever it draws
        drawn = int(one.metrics()[-1]["images"])
        recipe = recipe.changed({"training.images": 4 * drawn, "training.checkpoint_every": drawn})
        runs = {"whole": train(recipe, Path(place) / "whole", device="cpu")}
        with contextlib.suppress(_Interrupted):
            train(recipe, Path(place) / "parts", device="cpu", on_progress=_interrupt_at(3 * drawn))
        runs["parts"] = train(recipe, Path(place) / "parts", device="cpu")
        whole, parts = (_tensors(run) for run in runs.values())
        need(set(whole) == set(parts), subject, "saves other tensors after a resume; declare state in __init__")
        other = [name for name, value in whole.items() if not torch.equal(value, parts[name])]
        need(not other, subject, f"goes on otherwise after a checkpoint (first in {other[:1]}); hold state in buffers")
        rows = runs["whole"].metrics()
        finite = all(torch.isfinite(torch.tensor(float(v))) for row in rows for v in row.values())
        need(finite, subject, "logs values that aren't finite within four steps; lower its rate")
        both = (images_of(run.model(device="cpu")) for run in runs.values())
        for images, again in zip(*both, strict=True):
            need(torch.equal(images, again), subject, "makes other images after a resume; see its buffers")
            need(0 <= images.min() <= images.max() <= 1, subject, "makes images outside [0, 1]; see image_range")


class _Interrupted(Exception):
    pass


def _interrupt_at(most: int) -> OnProgress:
    def interrupt(images: int, total: int, metrics: Mapping[str, float]) -> None:
        if images >= most:
            raise _Interrupted

    return interrupt


def _tensors(run: Run) -> dict[str, torch.Tensor]:
    saved = newest(run.checkpoints)
    if saved is None:
        return {}
    parts = [name.removesuffix(".safetensors") for name in saved.manifest["files"] if name.endswith(".safetensors")]
    return {f"{p}.{key}": value for p in parts if p != "window" for key, value in saved.tensors(p).items()}


@check("model")
def loads_and_samples(subject: Subject) -> None:
    """It loads by its name, gives the same images for the same seed, and other ones for another label."""
    model = Model.read(Path(str(subject.target)), device="cpu")
    need(model.name == subject.name, subject, f"calls itself {model.name!r}; the folder's config must say its name")
    if model.task != "generate":
        return _changes_its_picture(subject, model)
    images = model.sample(4, seed=0)
    need(torch.equal(images, model.sample(4, seed=0)), subject, "gives other images for the same seed; see latent()")
    spread = (images[0] - images[1]).abs().max().item()
    need(spread > 1e-3, subject, "gives one image for every seed; it has collapsed, train it again")
    if len(model.labels) > 1:
        one, other = (model.sample(4, seed=0, label=label) for label in (0, 1))
        need((one - other).abs().max() > 1e-3, subject, "ignores its label; train it again with the label passed on")


def _changes_its_picture(subject: Subject, model: Model) -> None:
    for module, images in zip(portables(model), images_of(model), strict=True):
        given, *_ = module.inputs(len(images))
        need(torch.equal(images, module(*module.inputs(len(images)))), subject, "gives other images each time")
        same = images.shape == given.shape and (images - given).abs().max() < 1e-3
        need(not same, subject, "gives back the picture that it was given; train it again")


@check("model")
def model_card(subject: Subject) -> None:
    """Its folder has a card that states a licence."""
    page = subject.target / "README.md"
    need(page.is_file(), subject, "has no README.md; copy the folder that a run exported")
    words = page.read_text()
    front = yaml.safe_load(words.split("---\n")[1]) if words.startswith("---\n") else {}
    need(isinstance(front, dict) and front.get("license"), subject, "has a card without a licence; name it at its top")
