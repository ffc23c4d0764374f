"""No host sync in a step: nothing in it reads a tensor's value, for every registered recipe."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.engine.capture import READS
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from ganzoo.run import Run
from tests.support import tiny


class Reads(TorchDispatchMode):
    """Collects the operations that make the host wait for a device's values."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if op in READS:
            self.found.append(op)
        return op(*args, **(kwargs or {}))


def test_the_instrument_sees_a_read():
    with Reads() as reads:
        torch.ones(()).item()
        bool(torch.ones(()) > 0)
    assert len(reads.found) == 2


@pytest.mark.parametrize("name", registry().names("recipe"))
def test_a_step_reads_no_value_from_the_device(name, tmp_path):
    engine = Engine(resolve(tiny(name)), Run(tmp_path), Processes("cpu"), Observers())
    engine._step()  # optimisers make their state
    with Reads() as reads:
        engine._step()
        engine._step()
    assert reads.found == []
