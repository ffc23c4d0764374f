"""A recipe's networks on their device, laid out in memory as they train quickest."""

import torch
from torch import Tensor, nn

from ganzoo.engine.processes import Processes
from ganzoo.engine.randomness import key
from ganzoo.errors import GanzooError
from ganzoo.regularized import attach
from ganzoo.resolve import Parts
from ganzoo.strategy import Strategy


def is_channels_last(parts: Parts, micro_batch: int) -> bool:
    """As the recipe says; left to us, where the architecture allows it and it measured faster: not for the three images
    or fewer of a micro-batch (docs/benchmarks.md)."""
    if (wanted := parts.recipe.training.channels_last) is not None:
        return wanted
    return parts.architecture.channels_last and micro_batch > 3


def networks(parts: Parts, processes: Processes, channels_last: bool) -> dict[str, nn.Module]:
    """Those that the strategy names, each drawn from the recipe's seed. Raises GanzooError."""
    training, device = parts.recipe.training, processes.device
    if training.sync_batch_norm and device.type != "cuda":
        raise GanzooError(
            f"training.sync_batch_norm is for CUDA devices, and this trains on {device.type}; leave it out, or "
            "train on GPUs"
        )
    found = {}
    for name in parts.strategy.networks:
        torch.manual_seed(key(training.seed, -1, parts.architecture.networks.index(name)))
        network = parts.architecture.build(name).to(device)
        if training.sync_batch_norm and processes.count > 1:
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        attach(parts.strategy, name, network)
        found[name] = _laid_out(network, channels_last)
    return found


def strategy(parts: Parts, processes: Processes, channels_last: bool) -> Strategy:
    """With the frozen networks that it holds, such as a perceptual one."""
    found = parts.strategy.to(processes.device)
    for frozen in found.children():
        _laid_out(frozen, channels_last)
    return found


def in_channels_last(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A batch with its images as such networks have them."""
    return tuple(t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in batch)


def _laid_out(network: nn.Module, channels_last: bool) -> nn.Module:
    if channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
