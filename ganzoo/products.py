"""Products of float32 matrices on a CPU, by the quicker of the two libraries that torch has for them.

torch leaves them to MKL, which makes no use of AVX-512 on AMD's processors. oneDNN does: on a Zen 5 it takes half the
time. torch hands it these products once it may round to bfloat16 in them (a precision of "medium"), but on processors
without AMX, AMD's among them, oneDNN has no kernel that would; a trial makes sure that they are float32's as before.
"""

import contextlib
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import nn

LARGE = 2**22  # multiplications of a dense layer, from which on the 12 microseconds that a call costs more are nothing


@contextlib.contextmanager
def quick_products(networks: Iterable[nn.Module], micro_batch: int) -> Iterator[None]:
    """For the training of these networks: oneDNN's products, where it is quicker and they are large enough.

    A precision that a program has chosen for torch stays as it is.
    """
    if not (are_large(networks, micro_batch) and _is_amd_with_avx512() and _is_left_to_torch()):
        yield
        return
    torch.set_float32_matmul_precision("medium")
    try:
        if not products_are_float32():
            torch.set_float32_matmul_precision("highest")
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


def are_large(networks: Iterable[nn.Module], micro_batch: int) -> bool:
    """Whether these networks' dense layers on the CPU multiply enough, at the mean, to be worth oneDNN's call."""
    weights = [m.weight for net in networks for m in net.modules() if isinstance(m, nn.Linear)]
    sizes = [w.numel() for w in weights if w.device.type == "cpu"]
    return micro_batch * sum(sizes) >= LARGE * len(sizes) > 0


def products_are_float32() -> bool:
    """Whether a product keeps what bfloat16 and TF32 round away, in each layout of a training's matrices."""
    one = torch.eye(64, dtype=torch.float32, device="cpu")
    fine = torch.full_like(one, 1 + 2.0**-12)
    return all(torch.equal(a @ b, fine) for a, b in ((fine, one), (one.t(), fine), (fine, one.t()), (fine.t(), one)))


def _is_left_to_torch() -> bool:
    try:
        return torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # somebody set it by its newer names, which this one doesn't mix with
        return False


def _is_amd_with_avx512() -> bool:
    facts = Path("/proc/cpuinfo")
    maker = facts.read_text()[:200] if facts.exists() else platform.processor()  # the latter on Windows
    return "AuthenticAMD" in maker and torch.backends.cpu.get_cpu_capability() == "AVX512"
