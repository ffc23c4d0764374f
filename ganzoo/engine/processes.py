"""This process among the others: its device, its rank, and the one reduction that training needs."""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from accelerate import PartialState  # type: ignore[import-untyped]
from torch import Tensor, nn

from ganzoo.errors import GanzooError


class Processes:
    """The processes that Accelerate (or torchrun) started; one when nobody did."""

    def __init__(self, device: str | None = None):
        try:
            wanted = None if device is None else torch.device(device)
        except RuntimeError:
            raise GanzooError(f"there is no device {device!r}; try cpu, cuda, cuda:0 or mps") from None
        if wanted is not None and wanted.type == "cuda" and not torch.cuda.is_available():
            raise GanzooError(
                f"device {device!r} was asked for, but torch {torch.__version__} sees no GPU here; use cpu"
            )
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
