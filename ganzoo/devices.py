"""The device that a person asked for, or one sentence that says why not."""

import torch

from ganzoo.errors import GanzooError


def device_of(name: str | torch.device | None) -> torch.device:
    """A device that works here; for None a GPU where there is one. Raises GanzooError."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type == "meta":
            raise RuntimeError("it holds no values")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError):  # AssertionError: a torch that was built without CUDA
        gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        there = ", ".join(["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])])
        raise GanzooError(f"there is no device {str(name)!r} for torch {torch.__version__} here; use {there}") from None
    return device
