"""What channels_last brings: a step of each recipe that is made for it, and models that are loaded, in both layouts."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import torch

import ganzoo
from ganzoo.registry import registry
from tests.benchmarks import results
from tests.benchmarks.engine import engine_step
from tests.benchmarks.pairs import Ratio, compare

PAIRS = 7
SAMPLES, SIDE = 100, 128  # digits, or pixels of a picture to enlarge
SLOW = "esrgan-photos-x4"  # half a minute a step
LAYOUTS = {torch.channels_last: True, torch.contiguous_format: False}
SECTION = f"""
## Layout of images in memory

CPU time of one thread with channels_last over that with the usual layout, medians of {PAIRS} pairs. An architecture
says whether it is made for it (`channels_last = True`); then training takes it from four images a micro-batch on unless
`training.channels_last` decides otherwise, and a model that is loaded always has it: {SAMPLES} samples, a picture of
{SIDE}x{SIDE} pixels to enlarge, or four to translate.

| step of | channels_last over contiguous |
| --- | --- |
"""


def measure() -> dict[str, Any]:
    """Ratios for the recipes and the models that come with ganzoo."""
    torch.set_num_threads(1)
    names = [name for name in registry().names("recipe") if registry().entry("recipe", name).plugin.first_party]
    names = [n for n in names if registry().get("architecture", ganzoo.recipe(n).architecture.name).channels_last]
    trained = [found.name for found in ganzoo.models() if found.trained and found.name in names]
    return {
        "recipes": {name: astuple(compare(*_steps(name), steps=1, pairs=PAIRS)) for name in names if name != SLOW},
        "models": {name: astuple(compare(*_calls(name), steps=1, pairs=PAIRS)) for name in trained},
    }


def _steps(name: str) -> list[Callable[[], None]]:
    recipe = ganzoo.recipe(name).changed({"start_from": None})
    return [engine_step(recipe.changed({"training.channels_last": last})) for last in LAYOUTS.values()]


def _calls(name: str) -> list[Callable[[], Any]]:
    made = []
    for layout in LAYOUTS:
        model = ganzoo.load(name, device="cpu")
        model.network.to(memory_format=layout)
        images = torch.rand(4, model.channels or 3, *2 * [model.size]) if model.size else torch.rand(1, 3, SIDE, SIDE)
        samples = model.task == "generate"
        made.append(lambda m=model, x=images, s=samples: m.sample(SAMPLES, seed=0) if s else m.transform(x))
    return made


def section() -> str:
    """Of the page."""
    found = results.read("layout")
    if found is None:
        return ""
    text = SECTION + "".join(f"| `{name}` | {Ratio(*row)} |\n" for name, row in found["recipes"].items())
    text += "\n| model | channels_last over contiguous |\n| --- | --- |\n"
    return text + "".join(f"| `{name}` | {Ratio(*row)} |\n" for name, row in found["models"].items())
