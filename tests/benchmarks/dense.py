"""What oneDNN's products bring to trainings with large dense layers, on the processors where ganzoo asks for them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
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
from tests.benchmarks.worker import SIDE, quick_square
from tests.benchmarks.works import WORKS

Products = Callable[[], AbstractContextManager[None]]
PAIRS, STEPS = 9, 3
PRODUCTS = {(SIDE, SIDE, SIDE): 10, (64, 784, 512): 50, (64, 128, 128): 1000, (2, 64, 64): 5000}  # how often each
MADE_FOR = "mlp-gan", "mlp-cgan", "wgan-gp-mlp"
SECTION = f"""
## Products of large layers

CPU time of one thread with products by oneDNN over the same by MKL, which torch takes and which makes no use of AVX-512
on AMD's processors; medians of {PAIRS} pairs, float32. ganzoo asks for it by itself there (`ganzoo/products.py`) in the
training of dense layers as large as these recipes'; what a call costs more is seen in small products.

| product or step | oneDNN over MKL |
| --- | --- |
"""
NOT_RUN = """
## Products of large layers

Not run: this is for AMD's processors with AVX-512; on others ganzoo leaves products to MKL.
"""


def measure() -> dict[str, Any]:
    """Ratios for the works of dense layers and for the recipes that come with ganzoo."""
    torch.set_num_threads(1)
    with quick_square():
        if torch.get_float32_matmul_precision() == "highest":
            return {"steps": {}}
    found = {f"{m}x{k} by {k}x{n}": _product(m, k, n, times) for (m, k, n), times in PRODUCTS.items()}
    found |= {WORKS[name].title: _ratio(engine(parts(WORKS[name]))) for name in MADE_FOR}
    for name in registry().names("recipe"):
        recipe = ganzoo.recipe(name)
        if registry().entry("recipe", name).plugin.first_party and recipe.start_from is None and "glyphs" not in name:
            made = engine(recipe)
            if are_large(made.networks.values(), made.micro_batch):
                found[f"`{name}`"] = _ratio(made)
    return {"steps": found}


def _product(m: int, k: int, n: int, times: int) -> tuple[float, ...]:
    a, b = torch.randn(m, k), torch.randn(k, n)
    return _compared(quick_square, lambda: torch.mm(a, b), times)


def _ratio(made: Engine) -> tuple[float, ...]:
    return _compared(made.products, step_of(made), STEPS)


def _compared(products: Products, work: Callable[[], Any], times: int) -> tuple[float, ...]:
    def usual() -> None:
        for _ in range(times):
            work()

    def quick() -> None:
        with products():
            usual()

    return astuple(compare(quick, usual, steps=1, pairs=PAIRS))


def section() -> str:
    """Of the page."""
    found = results.read("dense")
    if found is None:
        return ""
    if not found["steps"]:
        return NOT_RUN
    return SECTION + "".join(f"| {name} | {Ratio(*row)} |\n" for name, row in found["steps"].items())
