"""This process among the others: its device, its rank, the one reduction that training needs, and how all agree."""

import atexit
import functools
import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState  # type: ignore[import-untyped]
from torch import Tensor, nn

from ganzoo.devices import device_of
from ganzoo.errors import GanzooError, PluginError, TrainingError

T = TypeVar("T")
FINE, FAILED, MEMORY = 0, 1, 2
PATIENCE = timedelta(days=1)  # with a process that measures, draws or saves; one that ends is noticed at once


class Exhausted(Exception):
    """Some process is out of memory; every process raises it at the same place."""


class Processes:
    """The processes that Accelerate (or torchrun) started; one when nobody did.

    What a process tells the others goes through the hosts (gloo), so agreeing never waits for a device.
    """

    def __init__(self, device: str | None = None):
        wanted = None if device is None else device_of(device)
        state = PartialState(cpu=wanted is not None and wanted.type == "cpu", **_own_store())
        self.count: int = state.num_processes
        self.rank: int = state.process_index
        self.is_main: bool = state.is_main_process
        self.device: torch.device = state.device
        if self.count == 1:  # Accelerate keeps to what the first training of a process was told
            told = os.environ.get("ACCELERATE_TORCH_DEVICE")
            self.device = wanted or torch.device(told or state.default_device)
        self.signal: Callable[[], int] = lambda: 0
        self._stop = 0
        self._hosts = _hosts() if self.count > 1 else None
        if self.count > 1:
            atexit.register(_leave)

    @property
    def stop(self) -> int:
        """The number of a signal that any process has received, as all know since they last agreed; 0: none."""
        return self._stop if self.count > 1 else self.signal()

    def reduce(self, flat: Tensor) -> None:
        """The mean over the processes, in place, by one all-reduce."""
        with _Others():
            dist.all_reduce(flat)
        flat /= self.count

    def collect(self, rows: Tensor) -> Tensor:
        """The rows of every process, by rank."""
        if self.count == 1:
            return rows
        everyone = [torch.empty_like(rows) for _ in range(self.count)]
        with _Others():
            dist.all_gather(everyone, rows.contiguous())
        return torch.cat(everyone)

    def broadcast(self, networks: Iterable[nn.Module]) -> None:
        """Parameters and buffers of every process as the first one has them."""
        if self.count > 1:
            with _Others():
                for network in networks:
                    for tensor in (*network.parameters(), *network.buffers()):
                        dist.broadcast(tensor.data, 0)

    def agree(self, *said: int) -> list[list[int]]:
        """What every process says here, by rank. Raises on all of them when one of them failed."""
        return self._exchange(FINE, said)

    def fail(self, memory: bool) -> None:
        """Tell the others, who wait for this process to agree, that it can't."""
        if self.count > 1:
            self._exchange(MEMORY if memory else FAILED, (), raises=False)

    def gather(self, said: Any) -> list[Any]:
        """Any value of every process, by rank: slow, for what happens rarely."""
        if self.count == 1:
            return [said]
        everyone: list[Any] = [None] * self.count
        with _Others():
            dist.all_gather_object(everyone, said, self._hosts)
        return everyone

    def each(self, work: Callable[[], T]) -> T:
        """Every process does this; when it fails on one, all raise."""
        result, error = _try(work)
        failures = self.gather(None if error is None else (str(error), getattr(error, "exit_code", 3)))
        if error is not None:
            raise error
        for rank, failure in enumerate(failures):
            if failure is not None:
                _raise(TrainingError(f"process {rank} failed: {failure[0]}"), exit_code=failure[1])
        return result  # type: ignore[return-value]

    def first(self, work: Callable[[], T]) -> T:
        """The main process does this; all get its result, or its error."""
        if self.count == 1:
            return work()
        result, error = _try(work) if self.is_main else (None, None)
        told: list[Any] = [(result, None if error is None else (str(error), getattr(error, "exit_code", 3)))]
        with _Others():
            dist.broadcast_object_list(told, 0, self._hosts)
        if error is not None:
            error.elsewhere = False  # type: ignore[attr-defined]
            raise error
        result, failure = told[0]
        if failure is not None:
            _raise(TrainingError(failure[0]), exit_code=failure[1])
        return result  # type: ignore[no-any-return]

    def _exchange(self, trouble: int, said: tuple[int, ...], raises: bool = True) -> list[list[int]]:
        if self.count == 1:
            return [list(said)]
        row = torch.tensor([trouble, self.signal(), *said, *[0] * (2 - len(said))])
        rows = [torch.empty_like(row) for _ in range(self.count)]
        with _Others():
            dist.all_gather(rows, row, self._hosts)
        heard = [list(map(int, r.tolist())) for r in rows]
        self._stop = max(self._stop, *(r[1] for r in heard))
        if raises:
            failed = [rank for rank, r in enumerate(heard) if r[0] == FAILED]
            if failed:
                _raise(TrainingError(f"process {failed[0]} failed, and so all stop"))
            if any(r[0] == MEMORY for r in heard):
                raise Exhausted
        return [r[2:] for r in heard]


@functools.cache  # one for all trainings of a process: each holds connections and threads
def _hosts() -> Any:
    """What agreeing goes through. Other groups keep torch's own patience: nobody works while they are waited for."""
    return dist.new_group(backend="gloo", timeout=PATIENCE)


def _own_store() -> dict[str, Any]:
    """After torchrun restarted the processes of a node: a store without the addresses of those that ended.

    torchrun serves one store for all attempts (torch 2.13), and a process that reads a dead one's address is refused.
    Nodes count their restarts apart, so several of them need TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 (docs/scaling.md).
    """
    told = os.environ.get
    attempt, one_node = told("TORCHELASTIC_RESTART_COUNT", "0"), told("GROUP_WORLD_SIZE", "1") == "1"
    if attempt == "0" or told("TORCHELASTIC_USE_AGENT_STORE") != "True" or not one_node:
        return {}
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store: Any = dist.TCPStore(address, port, count, is_master=False)  # type: ignore[attr-defined]
    store = dist.PrefixStore(f"attempt-{attempt}", store)  # type: ignore[attr-defined]
    return {"store": store, "rank": rank, "world_size": count}


def _leave() -> None:
    """End gloo's threads before the interpreter goes: one that still runs then aborts the process, its work done."""
    if dist.is_initialized() and dist.get_backend() == "gloo":
        dist.destroy_process_group()


class _Others:
    """A collective that breaks off: another process has ended."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError):
            lost = TrainingError(
                "another process of this training ended; the same command goes on from the last checkpoint, and "
                "torchrun --max-restarts does so by itself"
            )
            lost.elsewhere = False
            raise lost from error


def _try(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return work(), None
    except Exception as error:
        return None, error


def _raise(error: GanzooError, exit_code: int = 3) -> NoReturn:
    error.exit_code = exit_code
    error.elsewhere = True
    raise error


def disagreement(message: str) -> PluginError:
    """An error that every process raises by itself."""
    error = PluginError(message)
    error.elsewhere = False
    return error
