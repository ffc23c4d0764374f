"""What oneDNN's products bring to trainings with large dense layers, on the processors where ganzoo asks for them."""

from dataclasses import astuple
from typing import Any

import torch

import ganzoo
from ganzoo.engine.loop import Engine
from ganzoo.products import are_large
from ganzoo.registry import registry
from tests.benchmarks import results
from tests.benchmarks.engine import engine, step_of
from tests.benchmarks.given import parts
from tests.benchmarks.pairs import Ratio, compare
from tests.benchmarks.works import WORKS

PAIRS, STEPS = 9, 3
MADE_FOR = "mlp-gan", "mlp-cgan", "wgan-gp-mlp"
SECTION = f"""
## Products of large layers

CPU time of one thread of a step with products by oneDNN over the same by MKL, which torch takes and which makes no use
of AVX-512 on AMD's processors; medians of {PAIRS} pairs, float32. ganzoo asks for it by itself there
(`ganzoo/products.py`) where dense layers are as large as in these.

| step of | oneDNN over MKL |
| --- | --- |
"""


def measure() -> dict[str, Any]:
    """Ratios for the works of dense layers and for the recipes that come with ganzoo."""
    torch.set_num_threads(1)
    found = {WORKS[name].title: _ratio(engine(parts(WORKS[name]))) for name in MADE_FOR}
    for name in registry().names("recipe"):
        recipe = ganzoo.recipe(name)
        if registry().entry("recipe", name).plugin.first_party and recipe.start_from is None and "glyphs" not in name:
            made = engine(recipe)
            if are_large(made.networks.values(), made.micro_batch):
                found[f"`{name}`"] = _ratio(made)
    return {"steps": found}


def _ratio(made: Engine) -> tuple[float, ...]:
    step = step_of(made)

    def quick() -> None:
        with made.products():
            for _ in range(STEPS):
                step()

    def usual() -> None:
        for _ in range(STEPS):
            step()

    return astuple(compare(quick, usual, steps=1, pairs=PAIRS))


def section() -> str:
    """Of the page."""
    found = results.read("dense")
    if found is None:
        return ""
    return SECTION + "".join(f"| {name} | {Ratio(*row)} |\n" for name, row in found["steps"].items())
