"""The page of the comparison from given results, and one cell of it for real."""

import argparse
import re
from itertools import product

import pytest

from ganzoo.registry import registry
from tests.benchmarks import comparison
from tests.benchmarks.heat_map import heat_map


@pytest.fixture
def asked(tmp_path):
    return argparse.Namespace(
        data=["mnist-10k"],
        images=128,
        samples=64,
        seeds=2,
        width=4,
        device="cpu",
        backwards=False,
        out=tmp_path,
        page=tmp_path / "comparison.md",
    )


def test_the_page_has_every_cell_and_says_which_is_best(asked):
    losses = registry().names("loss")
    cells = list(product(asked.data, losses, comparison.REGULARIZERS, range(2)))
    results = {cell: {"frechet-distance": 100.0 + i, "label-accuracy": 0.5 - i / 1000} for i, cell in enumerate(cells)}
    results["mnist-10k", losses[-1], "ada", 0] = {"failed": "diverged"}
    text = comparison.page(asked, results)
    rows = [line for line in text.splitlines() if line.startswith("| r1 |")]
    assert len(rows) == 2
    assert rows[0].count("(1)") == len(losses)  # the distance between the two seeds
    assert f"The best cell is none with `{losses[0]}` (100" in text
    assert "failed (1 of 2)" in text
    assert re.search(r"Mean rank of each regulariser: none 1\.0, r1 2\.0", text)
    for name in re.findall(r"\]\((\S+\.svg)\)", text):
        assert (asked.page.parent / name).read_text().startswith("<svg")


def test_a_cell_is_trained_and_measured(asked):
    found = comparison.measured(asked, "mnist-10k", "hinge", "r1 + r2", 1)
    assert found.keys() == comparison.METRICS.keys()
    assert found["frechet-distance"] > 0
    assert not list(asked.out.iterdir())


def test_a_heat_map_goes_from_green_to_red_by_rank():
    drawn = heat_map({("a", "x"): 1.0, ("b", "x"): 5.0}, ["a", "b", "c"], ["x"], rises=False)
    assert re.findall(r'fill="([^"]+)"', drawn) == ["hsl(130, 60%, 78%)", "hsl(0, 60%, 78%)", "#ddd"]
    assert "failed" in drawn
