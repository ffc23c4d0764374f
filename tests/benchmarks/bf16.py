"""The works in bf16: a section of the page, made of what `python -m tests.benchmarks --bf16` measured."""

from tests.benchmarks import results, tables
from tests.benchmarks.peers import NEEDED
from tests.benchmarks.worker import BF16
from tests.benchmarks.works import WORKS

SHORT = """
## In bf16 on a CPU

`training.precision=bf16` keeps weights, optimiser and averages in float32 and runs the forward passes, and so the
gradients, in bfloat16, which this CPU multiplies by itself (avx512_bf16); what the digits' recipes reach with it stands
in [recipes](recipes.md#recipes-that-come-with-ganzoo). A CPU that can't is slower with it: `ganzoo doctor` measures it,
and a training says so. `python -m tests.benchmarks --bf16`, as above; measured {first} to {last}.
`fast` and `plain` are under autocast, and the limit is the rate of a product in bfloat16.

| step (batch) | ganzoo, float32 over bf16 | ganzoo over fast | plain over fast | ganzoo over the limit | images/s |
| --- | --- | --- | --- | --- | --- |
"""
PEERS = """
The peers over ganzoo. They train in float32, having no such setting, but for lightning with `precision="bf16-mixed"`:

| step (batch) | {names} |
| --- |{rule}
"""


def section() -> str:
    found = {name: r for name in WORKS if (r := results.read(f"{name}-bf16")) is not None}
    if not found:
        return ""
    first, last = tables.dates(found)
    text, ours, fast = SHORT.format(first=first, last=last), "ganzoo" + BF16, "fast" + BF16
    for name, r in found.items():
        text += (
            f"| {tables.title(name)} | {tables.over(r, 'ganzoo', ours)} | {tables.over(r, ours, fast)} "
            f"| {tables.over(r, 'plain' + BF16, fast).median:.2f} | {tables.over_limit(r, ours, 'gemm' + BF16):.2f} "
            f"| {tables.images(name, r, ours):,.4g} |\n"
        )
    text += tables.bounds(found, "cpu", BF16)
    names = [side for p in NEEDED for side in (p, p + BF16) if any(side in r["sides"] for r in found.values())]
    text += PEERS.format(names=" | ".join(names), rule=" --- |" * len(names))
    for name, r in found.items():
        cells = [str(tables.over(r, side, ours)) if side in r["sides"] else "" for side in names]
        text += f"| {tables.title(name)} | {' | '.join(cells)} |\n" if any(cells) else ""
    return text
