"""docs/benchmarks.md and its plots, made of the results that are there. What isn't there is said to be missing."""

from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import bf16, dense, gpu, layout, limit, plots, results, tables
from tests.benchmarks.pairs import Ratio
from tests.benchmarks.peers import NEEDED
from tests.benchmarks.worker import SIDE
from tests.benchmarks.works import WORKS

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "benchmarks"
KINDS = "forward", "inputs", "weights", "saved"  # of what `convolutions` finds
HEAD = """\
# Benchmarks

Written by `make bench` (`python -m tests.benchmarks`); no number is typed in. Everything is a ratio within one run: the
sides do the same work in turn, each in a process of its own, {pairs} rounds, medians with 95 % bounds (bootstrap). CPU
time of one thread, which other programs on the machine disturb least; absolute times belong to this machine at this
moment. Networks are as wide as tutorials and papers have them, but for the StyleGAN2-class ones (128 to 32 channels).

Machine: {cpu}, torch {torch}, Python {python}. Measured {first} to {last}, with {load} processes running or
waiting on it at the median. `python -m tests.benchmarks NAME` measures one row anew, `--all` all; the results are in
`tests/benchmarks/results/`.
"""
ENGINE = """
## The engine against the loop by hand

`fast` is the same step written by hand in plain torch as fast as we can: resident uint8 data, one generator forward for
both updates, no weight gradients of the network that isn't updated, the discriminator on both batches at once, both
directions of a translator as one batch, a frozen perceptual network whose target needs no gradient, fused Adam,
multi-tensor average, channels_last where it measured faster (not for a batch of 1), nothing read from the device, and
products of large layers by oneDNN on the processors where MKL, which torch takes, is slower (`ganzoo/products.py`).
`plain` is a tidy tutorial loop. ganzoo runs with everything on: average, metrics, finite checks, log. Where it is ahead
of `fast`, that is memory which it keeps between steps instead of giving it back to the system and fetching it again
page by page (`ganzoo/memory.py`), Adam's kernel called without torch's sorting of tensors before it and with one count
of steps for all of them, and penalties of a gradient that spare the network the zeros which torch sends back through it
(`ganzoo/straight.py`).
Memory is what the steps add at their highest.

| step (batch) | ganzoo over fast | plain over fast | ganzoo, images/s | memory, ganzoo / fast |
| --- | --- | --- | --- | --- |
"""
PEERS = """
## Against peers that install today

The same networks, batch, data and optimiser under each library's own loop, on a DataLoader as its documentation has
it. Time over ganzoo's: above 1, ganzoo is ahead.

| step (batch) | {names} |
| --- |{rule}
"""
LIMIT = """
## The limit

Floating point operations of the minimal step (torch's formulas for products and convolutions) at the rate of a
{side}x{side} float32 matrix product, measured in turn with the steps. Below 1 convolutions are quicker than the
product (the next table); a penalty that spares the network zeros takes fewer operations than are counted.

| step | GFLOP a step | product, GFLOP/s | fast over the limit | ganzoo over the limit |
| --- | --- | --- | --- | --- |
"""
CONVOLUTIONS = """
What the convolutions of a step reach of the product's rate, each timed alone, and how much of the step it would save to
take the gradients of weights as one product with the patches laid out in rows (im2col) wherever that is quicker. ganzoo
doesn't: it would have to put an operator of its own in the place of one of torch's, for all that runs in the process.

| step | forward | gradients of inputs | gradients of weights | im2col would save |
| --- | --- | --- | --- | --- |
"""
SHARES = """
Where a step of ganzoo spends its time (torch's profiler, which makes Python look slower than it is):

| step | {names} |
| --- |{rule}
"""


def write() -> None:
    """Render the page from the results."""
    found = {name: r for name in WORKS if (r := results.read(name)) is not None}
    if not found:
        raise SystemExit("nothing is measured yet; `python -m tests.benchmarks` does it")
    PICTURES.mkdir(exist_ok=True)
    text = _head(found) + _engine(found) + _peers(found) + _limit(found) + bf16.section() + _threads()
    text += _start() + _growth() + _inference() + layout.section() + dense.section() + gpu.section()
    missing = [name for name in WORKS if name not in found]
    if missing:
        text += f"\nNot measured yet: {', '.join(missing)}.\n"
    (DOCS / "benchmarks.md").write_text(text)


def _head(found: dict[str, Any]) -> str:
    machines = [r["machine"] for r in found.values()]
    first, last = tables.dates(found)
    load = median(m[key] for m in machines for key in ("load", "load_after"))
    facts = {key: " / ".join(sorted({m[key] for m in machines})) for key in ("cpu", "torch", "python")}
    pairs = " or ".join(map(str, sorted({r["pairs"] for r in found.values()})))
    return HEAD.format(pairs=pairs, first=first, last=last, load=f"{load:.1f}", **facts)


def _engine(found: dict[str, Any]) -> str:
    text = ENGINE
    for name, result in found.items():
        sides = result["sides"]
        memory = " / ".join(f"{sides[side]['peak'] / 2**20:.0f}" for side in ("ganzoo", "fast"))
        text += (
            f"| {tables.title(name)} | {tables.over(result, 'ganzoo', 'fast')} "
            f"| {tables.over(result, 'plain', 'fast').median:.2f} | {tables.images(name, result, 'ganzoo'):,.4g} "
            f"| {memory} MiB |\n"
        )
    rows = {
        WORKS[n].title.replace("`", ""): {s: tables.over(r, s, "fast").median for s in ("ganzoo", "plain")}
        for n, r in found.items()
    }
    (PICTURES / "engine.svg").write_text(plots.bars(rows))
    text += tables.bounds(found, "cpu")
    return text + ("\n![time of ganzoo and of a plain loop over the fastest loop](benchmarks/engine.svg)\n")


def _peers(found: dict[str, Any]) -> str:
    names = [p for p in NEEDED if any(p in r["sides"] or p in r["failed"] for r in found.values())]
    if not names:
        return "\n## Against peers\n\nNot measured: `python -m tests.benchmarks.peers` installs them.\n"
    rows = {n: r for n, r in found.items() if any(p in r["sides"] or p in r["failed"] for p in names)}
    text = PEERS.format(names=" | ".join(names), rule=" --- |" * len(names))
    for name, result in rows.items():
        cells = [
            str(tables.over(result, p, "ganzoo")) if p in result["sides"] else "failed" if p in result["failed"] else ""
            for p in names
        ]
        text += f"| {tables.title(name)} | {' | '.join(cells)} |\n"
    bars = {
        WORKS[n].title.replace("`", ""): {p: tables.over(r, p, "ganzoo").median for p in names if p in r["sides"]}
        for n, r in rows.items()
    }
    (PICTURES / "peers.svg").write_text(plots.bars({n: values for n, values in bars.items() if values}))
    text += "\n![time of the peers over ganzoo's](benchmarks/peers.svg)\n\nWhat each needed to run:\n\n"
    versions = {p: v for r in found.values() for p, v in r["peers"].items() if v}
    return text + "".join(f"- {p} {versions.get(p, '')}: {NEEDED[p]}.\n" for p in names)


def _limit(found: dict[str, Any]) -> str:
    text = LIMIT.format(side=SIDE)
    for name, result in found.items():
        rate = median(limit.rate(seconds, SIDE) for seconds in result["sides"]["gemm"]["cpu"])
        over = [f"{tables.over_limit(result, side, 'gemm'):.2f}" for side in ("fast", "ganzoo")]
        text += f"| {WORKS[name].title} | {result['flops'] / 1e9:.3g} | {rate / 1e9:.0f} | {' | '.join(over)} |\n"
    text += _convolutions()
    names = list(dict.fromkeys(kind for r in found.values() for kind in r["shares"]))
    text += SHARES.format(names=" | ".join(names), rule=" --- |" * len(names))
    for name, result in found.items():
        cells = [f"{result['shares'].get(kind, 0):.0%}" for kind in names]
        text += f"| {WORKS[name].title} | {' | '.join(cells)} |\n"
    return text


def _convolutions() -> str:
    found = results.read("convolutions") or {}
    rows = [
        f"| {WORKS[name].title} | {' | '.join(f'{found[name][key]:.0%}' for key in KINDS)} |\n"
        for name in WORKS
        if name in found
    ]
    return CONVOLUTIONS + "".join(rows) if rows else ""


def _threads() -> str:
    found = {name: r for name in WORKS if (r := results.read(f"{name}-2")) is not None}
    text = "\n## Two threads, wall time\n\n"
    if not found:
        return (
            text
            + "Not measured: it means something on a quiet machine only (`python -m tests.benchmarks --threads 2`).\n"
        )
    load = max(r["machine"]["load"] for r in found.values())
    names = [s for s in ("plain", *NEEDED) if any(s in r["sides"] for r in found.values())]
    first, last = tables.dates(found)
    text += f"Measured {first} to {last}; at most {load:.1f} processes were running when a row began.\n\n"
    text += "| step (batch) | ganzoo over fast | "
    text += " | ".join(f"{n} over ganzoo" for n in names) + " |\n| --- | --- |" + " --- |" * len(names) + "\n"
    for name, r in found.items():
        cells = [f"{tables.over(r, n, 'ganzoo', 'wall').median:.2f}" if n in r["sides"] else "" for n in names]
        text += f"| {tables.title(name)} | {tables.over(r, 'ganzoo', 'fast', 'wall')} | {' | '.join(cells)} |\n"
    return text + tables.bounds(found, "wall")


def _start() -> str:
    found = results.read("start")
    if found is None:
        return ""
    first, data = found["first_step"], found["data"]
    return (
        "\n## Start and data\n\n"
        f"From `ganzoo train cgan-mnist` to its first step: {first['cpu']:.1f} s of CPU, {first['wall']:.1f} s wall, "
        "with "
        f"{found['machine']['load']} processes running or waiting on the machine (median of {first['times']}). "
        f"Resident data: {data['images_per_second']:,.0f} MNIST-size images a second and thread, shuffled, as floats "
        "with their labels.\n"
    )


def _growth() -> str:
    found = results.read("growth")
    if found is None:
        return ""
    text = "\n## Growth\n\n"
    titles = {
        "batch": "batch (DCGAN, 28 pixels, width 16)",
        "resolution": "resolution (DCGAN, width 8, batch 8)",
        "width": "width (DCGAN, 32 pixels, batch 16)",
        "data": "resident images of 28 pixels",
        "parts": "registered parts",
    }
    if streamed := results.read("streams"):
        least, *_, most = (row["size"] / 1e6 for row in streamed["stream"]["rows"])
        title = f"64-pixel pictures, {least:.0f} to {most:.0f} MB, streamed from tar shards"
        found, titles = found | streamed, titles | {"stream": title}
    for kind, title in titles.items():
        table = found[kind]
        timed = "seconds" if "seconds" in table["rows"][0] else "images_per_second"
        word = "CPU seconds to find and search them" if timed == "seconds" else "images/s"
        text += f"| {title} | " + " | ".join(f"{x:,}" for x in table["x"]) + " |\n| --- |" + " --- |" * len(table["x"])
        text += f"\n| {word} | " + " | ".join(
            f"{row[timed]:,.3g}" if row[timed] < 10 else f"{row[timed]:,.0f}" for row in table["rows"]
        )
        text += " |\n| MiB added | " + " | ".join(f"{row['peak'] / 2**20:.3g}" for row in table["rows"]) + " |\n\n"
        points = {
            word: [(x, row[timed]) for x, row in zip(table["x"], table["rows"], strict=True)],
            "MiB added": [
                (x, max(row["peak"], 2**16) / 2**20) for x, row in zip(table["x"], table["rows"], strict=True)
            ],
        }
        (PICTURES / f"growth-{kind}.svg").write_text(plots.lines("", title, "", points))
    return text + " ".join(f"![{title}](benchmarks/growth-{kind}.svg)" for kind, title in titles.items()) + "\n"


def _inference() -> str:
    found = results.read("inference")
    if found is None:
        return ""
    rows = {name: row for name, row in found.items() if isinstance(row, dict) and "ratio" in row}
    photo, short = rows.pop("transform", None), rows.pop("transform in bf16", None)
    text = (
        f"\n## Inference\n\n{found['count']:,} digits of `cgan-mnist` in batches of 100, one thread, over the bare "
        "network on latents that are there already:\n\n| | over the bare network | images/s |\n| --- | --- | --- |\n"
    )
    for name, row in rows.items():
        text += f"| {name} | {_shown(row)} | {found['count'] / row['seconds']:,.0f} |\n"
    if photo:
        text += (
            f"\n`transform` of a tensor of {photo['side']}x{photo['side']} pixels by `srresnet-photos-x4`: "
            f"{_shown(photo)} of its bare network over {photo['pairs']} rounds, {photo['seconds']:.1f} s."
        )
        text += (
            f" In bf16 (`dtype=torch.bfloat16`): {_shown(short)}, and {255 * short['off']:.1f}/255 from float32 in the "
            "mean.\n"
            if short
            else "\n"
        )
    if digits := found.get("digits"):
        text += f"\n{digits['count']:,} digits on {digits['threads']} threads: {digits['seconds']:.1f} s.\n"
    return text + (f"\nonnxruntime: {found['onnx']}.\n" if "onnx" in found else "")


def _shown(row: dict[str, float]) -> Ratio:
    return Ratio(row["ratio"], row["low"], row["high"], row["seconds"], row["bare"])
