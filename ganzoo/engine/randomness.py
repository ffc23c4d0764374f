"""Where randomness comes from: a key for every stretch of computation, so nothing needs to be stored to resume."""

import torch

_MASK = 2**64 - 1


def key(*parts: int) -> int:
    """A well-mixed 63-bit number from integers (the SplitMix64 finaliser; Steele et al., 2014)."""
    state = 0x9E3779B97F4A7C15
    for part in parts:
        state = (state ^ (part & _MASK)) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state >> 1


def seed(device: torch.device, *parts: int) -> None:
    """Seed torch's generators of the CPU and the device from a key."""
    number = key(*parts)
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(number)
    elif device.type != "cpu":
        torch.manual_seed(number)
