"""Done on a device beside the host, in a process of its own: `python -m tests.elsewhere.works WORK NAME ...`."""

import os
import sys
import traceback
from pathlib import Path
from tempfile import mkdtemp

import torch

from tests.elsewhere.device import DEVICE, Elsewhere, There

import ganzoo  # isort: skip
from safetensors.torch import load_file  # isort: skip
from tests.support import tiny  # isort: skip

FOLDER = Path(mkdtemp())


def trained(recipe, out, device):
    """The networks' weights in float32, as the run leaves them."""
    run = ganzoo.train(recipe, out=FOLDER / f"{out}-{device}", device=device)
    files = max(run.checkpoints.glob("step-*")).glob("*.safetensors")
    return {f"{file.stem}.{key}": value for file in files for key, value in load_file(file).items()}


def same_there(recipe, out):
    """Training there and training here end at the same weights."""
    theirs = trained(recipe, out, "cpu")
    with Elsewhere():
        torch.testing.assert_close(trained(recipe, out, "elsewhere"), theirs, rtol=1e-3, atol=1e-5)


def train(*names):
    for name in names:
        same_there(tiny(name).changed({"training.accumulate": 2}), name)


def resume():
    """A run goes on there, measured on its way, and another starts from it."""
    recipe = tiny("cgan-mnist")
    same_there(recipe, "stopped")
    measured = {"every": 8, "count": 64, "metrics": ["frechet-distance", "label-accuracy"]}
    longer = recipe.changed({"training.images": 3 * recipe.training.images, "training.measure": measured})
    same_there(longer, "stopped")
    with Elsewhere():
        trained(recipe.changed(start_from=f"file:{FOLDER / 'stopped-elsewhere'}"), "started", "elsewhere")


def regularize(*names):
    for name in names:
        same_there(tiny("cgan-mnist", regularizers={name: {}}), name)


def use():
    """Models there make the images that they make here, and are measured."""
    here = ganzoo.load("cgan-mnist", device="cpu")
    asked = here.sample(3, label=7, seed=1)
    latents = here.invert(asked, label=7, steps=3)
    with Elsewhere():
        there = ganzoo.load("cgan-mnist", device="elsewhere")
        assert torch.equal(there.sample(3, label=7, seed=1), asked)
        torch.testing.assert_close(there.invert(asked, label=7, steps=3).cpu(), latents)
        ganzoo.evaluate(there, count=200, seeds=(0,))
    picture = torch.rand(1, 3, 32, 32)
    for name in ("srgan-photos-x4", "cut-noto-twemoji"):
        here = ganzoo.load(name, device="cpu").transform(picture)
        with Elsewhere():
            there = ganzoo.load(name, device="elsewhere")
            assert torch.equal(there.transform(picture), here)
            large = there.transform(picture.to(DEVICE))
            assert isinstance(large, There)
            assert torch.equal(large.cpu(), here)


def move():
    """Latents are truncated and walked between there as here."""
    for name in ("biggan", "pixelcnn", "stylegan2"):
        torch.manual_seed(0)
        G = ganzoo.build(name, size=28, channels=1, **({"classes": 2} if name == "biggan" else {})).eval()
        a, b, way = G.latent(2), G.latent(2), torch.rand(2)
        between = G.between(a, b, way)
        told = [torch.tensor([0, 1])] if name == "biggan" else []
        images = G.sample(a, *told, truncation=0.5) if G.options else None
        with Elsewhere():
            G.to(DEVICE)
            a, b, way, told = a.to(DEVICE), b.to(DEVICE), way.to(DEVICE), [label.to(DEVICE) for label in told]
            torch.testing.assert_close(G.between(a, b, way).cpu(), between)
            if images is not None:
                torch.testing.assert_close(G.sample(a, *told, truncation=0.5).cpu(), images)


if __name__ == "__main__":
    code = 0
    try:
        {work.__name__: work for work in (train, resume, regularize, use, move)}[sys.argv[1]](*sys.argv[2:])
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)  # torch's threads for the device don't let the interpreter end
