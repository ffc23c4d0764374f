"""This process among the others: its device, its rank, and the one reduction that training needs."""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from accelerate import PartialState  # type: ignore[import-untyped]
from torch import Tensor, nn

from ganzoo.devices import device_of


class Processes:
    """The processes that Accelerate (or torchrun) started; one when nobody did."""

    def __init__(self, device: str | None = None):
        wanted = None if device is None else device_of(device)
        state = PartialState(cpu=wanted is not None and wanted.type == "cpu")
        self.count: int = state.num_processes
        self.rank: int = state.process_index
        self.is_main: bool = state.is_main_process
        self.device = wanted if wanted is not None and self.count == 1 else state.device

    def mean(self, tensors: list[Tensor]) -> list[Tensor]:
        """Each tensor averaged over the processes, by one all-reduce."""
        if self.count == 1 or not tensors:
            return tensors
        flat = torch.cat([t.reshape(-1) for t in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        parts = torch.split(flat, [t.numel() for t in tensors])
        return [part.view_as(t) for part, t in zip(parts, tensors, strict=True)]

    def broadcast(self, networks: Iterable[nn.Module]) -> None:
        """Parameters and buffers of every process as the first one has them."""
        if self.count > 1:
            for network in networks:
                for tensor in (*network.parameters(), *network.buffers()):
                    dist.broadcast(tensor.data, 0)
