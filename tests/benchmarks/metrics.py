"""`python -m tests.benchmarks.metrics`: time and memory of set metrics at 10,000 against 10,000, 1,280 features."""

import resource
import time

import torch

from ganzoo.evaluation.frechet import Moments, frechet_distance
from ganzoo.evaluation.kernel import kernel_distance, standardised
from ganzoo.evaluation.neighbours import density_coverage, precision_recall


def main(count: int = 10_000, width: int = 1280) -> None:
    torch.set_num_threads(2)
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(width, width, generator=generator) / width**0.5
    real, fake = (torch.randn(count, width, generator=generator) @ mixing for _ in range(2))
    work = {
        "Fréchet distance": lambda: frechet_distance(Moments.over(fake), Moments.over(real)),
        "kernel distance": lambda: kernel_distance(standardised(fake, real), standardised(real, real)).value,
        "precision and recall": lambda: precision_recall(real, fake),
        "density and coverage": lambda: density_coverage(real, fake),
    }
    began, cpu = time.perf_counter(), time.process_time()
    for name, compute in work.items():
        start, used = time.perf_counter(), time.process_time()
        value = compute()
        print(f"{name}: {time.perf_counter() - start:.1f} s wall, {time.process_time() - used:.1f} s CPU ({value})")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"together {time.perf_counter() - began:.1f} s wall, {time.process_time() - cpu:.1f} s CPU; peak {peak:.2f} GiB"
    )


if __name__ == "__main__":
    main()
