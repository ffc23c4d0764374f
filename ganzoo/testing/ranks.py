"""Several processes of a training in one: threads that take turns, so that the checks can share a batch among ranks."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from ganzoo.engine.processes import Processes

T = TypeVar("T")


class Together:
    """Where the ranks meet. One runs at a time: torch's random numbers are the whole process's."""

    def __init__(self, count: int):
        self.turn, self.barrier = threading.Lock(), threading.Barrier(count)
        self.said: list[Any] = [None] * count

    def meet(self, rank: int, said: Any) -> list[Any]:
        """What every rank says, by rank, once all have come here."""
        self.said[rank] = said
        self._wait()
        heard = list(self.said)
        self._wait()  # nobody says the next thing before all have heard this one
        return heard

    def _wait(self) -> None:
        self.turn.release()
        try:
            self.barrier.wait(timeout=120)
        finally:
            self.turn.acquire()


class Rank(Processes):
    """One of the processes; what it tells the others goes through memory."""

    def __init__(self, together: Together, rank: int, count: int):
        self.together, self.rank, self.count, self.is_main = together, rank, count, rank == 0
        self.device, self.signal, self._stop = torch.device("cpu"), lambda: 0, 0

    def reduce(self, flat: Tensor) -> None:
        flat.copy_(torch.stack(self.together.meet(self.rank, flat.clone())).mean(0))

    def collect(self, rows: Tensor) -> Tensor:
        return torch.cat(self.together.meet(self.rank, rows))

    def agree(self, *said: int) -> list[list[int]]:
        return self.together.meet(self.rank, list(said))

    def gather(self, said: Any) -> list[Any]:
        return self.together.meet(self.rank, said)

    def collect(self, rows: Tensor) -> Tensor:
        return torch.cat(self.together.meet(self.rank, rows))

    def fail(self, memory: bool) -> None:
        self.together.barrier.abort()


def run(count: int, work: Callable[[Processes], T]) -> list[T]:
    """What each rank's work gives, by rank; raises what the first that failed raised."""
    together, results, errors = Together(count), [None] * count, []

    def one(rank: int) -> None:
        with together.turn:
            try:
                results[rank] = work(Rank(together, rank, count))  # type: ignore[call-overload]
            except threading.BrokenBarrierError:
                pass  # another one failed, and says why
            except BaseException as error:
                errors.append(error)
                together.barrier.abort()

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results  # type: ignore[return-value]
