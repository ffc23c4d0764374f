"""`python -m tests.benchmarks` measures what has no result yet and writes docs/benchmarks.md.

Names of works or parts measure just those anew; `--all` everything; `--page` nothing; `--threads 2` wall time of two
threads, which means something on a quiet machine only; `--bf16` the works in bf16 too, for a CPU that multiplies it.
"""

import argparse
import time

import torch

from tests.benchmarks import convolutions, dense, growth, inference, layout, limit, page, peers, results, start
from tests.benchmarks.sides import compare
from tests.benchmarks.worker import BF16
from tests.benchmarks.works import WORKS

PARTS = {
    "convolutions": convolutions.measure,
    "start": start.measure,
    "growth": growth.measure,
    "streams": growth.streams,
    "inference": inference.measure,
    "layout": layout.measure,
    "dense": dense.measure,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*WORKS, *PARTS]))
    arguments.add_argument("--all", action="store_true", help="measure everything anew")
    arguments.add_argument("--page", action="store_true", help="only write the page")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--bf16", action="store_true", help="the works in bf16, beside float32")
    arguments.add_argument("--pairs", type=int, default=15)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    chosen = [] if given.page else given.names or [*WORKS, *PARTS]
    kind = "-bf16" if given.bf16 else "" if given.threads == 1 else f"-{given.threads}"
    for name in chosen:
        stored = name + kind
        if (given.all or given.names or results.read(stored) is None) and (not kind or name in WORKS):
            began = time.perf_counter()
            measured = {"machine": results.machine()}
            measured |= _work(name, given.threads, given.pairs, given.bf16) if name in WORKS else PARTS[name]()
            results.write(stored, measured)
            print(f"{stored}: {time.perf_counter() - began:.0f} s", flush=True)
    page.write()


def _work(name: str, threads: int, pairs: int, bf16: bool) -> dict:
    work = WORKS[name]
    sides = {"fast": 1, "ganzoo": 1, "plain": 1, "gemm": 1}
    if bf16:
        sides |= {side + BF16: 1 for side in sides}
    for peer in filter(peers.version, work.peers):
        sides[peer + BF16 if bf16 and peer == "lightning" else peer] = 1 if peer.startswith("vegans") else work.draws
    found = compare(name, sides, threads=threads, pairs=pairs, multiple=work.multiple)
    found["peers"] = {peer: peers.version(peer) for peer in work.peers}
    if threads == 1:
        found |= {"flops": limit.flops(work)} | ({} if bf16 else {"shares": limit.shares(work)})
    return found


if __name__ == "__main__":
    main()
