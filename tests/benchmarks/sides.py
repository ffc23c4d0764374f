"""Several sides of one work in processes of their own, in turn, and how sure the ratios of their times are."""

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.pairs import Ratio

ROOT = Path(__file__).parents[2]
GEMMS = 8  # a turn of the side that only multiplies matrices, whose rate is the machine's limit
TURN = 0.35  # seconds of one turn, so that a turn is long against a clock tick and short against the machine's moods


def ratio(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """Of two lists of times that were taken in turn."""
    ratios = [a / b for a, b in zip(first, second, strict=True)]
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(2000))
    return Ratio(statistics.median(ratios), medians[50], medians[1949], min(first), min(second))


class Side:
    """A worker process; `turn` lets it take some steps and returns what they cost."""

    def __init__(self, work: str, name: str, threads: int):
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        self.log = (ROOT / "runs" / "benchmarks" / f"{work}-{name}.log").open("w+")
        command = [sys.executable, "-m", "tests.benchmarks.worker", work, name]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
            cwd=ROOT,
        )

    def answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            said = self.log.read().strip().splitlines() or ["it said nothing"]
            raise RuntimeError(f"{' '.join(self.process.args[3:])} ended: {said[-1]}")  # type: ignore[index]
        found: dict[str, float] = json.loads(line)
        return found

    def turn(self, steps: int) -> dict[str, float]:
        assert self.process.stdin is not None
        print(steps, file=self.process.stdin, flush=True)
        return self.answer()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def compare(work: str, sides: dict[str, int], *, threads: int, pairs: int, multiple: int = 1) -> dict[str, Any]:
    """Times of every side over so many rounds in which each takes its turn; the order of the sides rotates.

    `sides` says for each how often its gate is called in a step. A side that doesn't run is reported with its reason.
    """
    (ROOT / "runs" / "benchmarks").mkdir(parents=True, exist_ok=True)
    running: dict[str, Side] = {}
    failed: dict[str, str] = {}
    try:
        running = {name: Side(work, name, threads) for name in sides}
        for name in sides:
            try:
                running[name].answer()  # ready
                running[name].turn(sides[name] * multiple)  # optimisers make their state
            except RuntimeError as error:
                failed[name] = str(error)
                running.pop(name).close()
        counts = {}
        steps = max(1, round(TURN / running["fast"].turn(multiple)["wall"] / multiple)) * multiple
        for name in running:
            counts[name] = GEMMS if name.startswith("gemm") else steps * sides[name]
        took: dict[str, list[dict[str, float]]] = {name: [] for name in running}
        for i in range(pairs):
            names = list(running)
            for name in names[i % len(names) :] + names[: i % len(names)]:
                took[name].append(running[name].turn(counts[name]))
    finally:
        for side in running.values():
            side.close()

    def done(name: str) -> int:
        return GEMMS if name.startswith("gemm") else steps

    return {
        "steps": steps,
        "pairs": pairs,
        "sides": {
            name: {kind: [t[kind] / done(name) for t in turns] for kind in ("cpu", "wall")}
            | {"peak": turns[-1]["peak"]}
            for name, turns in took.items()
        },
        "failed": failed,
    }
