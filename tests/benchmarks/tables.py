"""What the tables of the page share: results by work, ratios of two sides, and how they stand to their bounds."""

from statistics import median
from typing import Any

from tests.benchmarks import limit
from tests.benchmarks.pairs import Ratio
from tests.benchmarks.sides import ratio
from tests.benchmarks.worker import SIDE
from tests.benchmarks.works import WORKS


def dates(found: dict[str, Any]) -> tuple[str, str]:
    """Of the first and the last of the results."""
    when = sorted(r["machine"]["date"] for r in found.values())
    return when[0], when[-1]


def over(result: dict[str, Any], first: str, second: str, what: str = "cpu") -> Ratio:
    return ratio(result["sides"][first][what], result["sides"][second][what])


def title(name: str) -> str:
    return f"{WORKS[name].title} ({WORKS[name].batch})"


def images(name: str, result: dict[str, Any], side: str) -> float:
    """Images a second of CPU time."""
    return WORKS[name].batch * WORKS[name].draws / median(result["sides"][side]["cpu"])


def over_limit(result: dict[str, Any], side: str, product: str) -> float:
    """Time over that of the step's operations at the rate of the product, which another side multiplied."""
    least = [result["flops"] / limit.rate(seconds, SIDE) for seconds in result["sides"][product]["cpu"]]
    return ratio(result["sides"][side]["cpu"], least).median


def bounds(found: dict[str, Any], what: str, kind: str = "") -> str:
    """How many of the upper bounds of ganzoo over fast are as low as they are to be."""
    kept: dict[bool, list[bool]] = {False: [], True: []}
    for name, result in found.items():
        host = WORKS[name].title.startswith("host cost")
        kept[host].append(over(result, "ganzoo" + kind, "fast" + kind, what).high <= (1.1 if host else 1.05))
    (steps, hosts) = (f"{sum(some)} of {len(some)}" for some in (kept[False], kept[True]))
    return f"\nUpper bound of ganzoo over fast: at most 1.05 in {steps} steps, at most 1.1 in {hosts} host costs.\n"
