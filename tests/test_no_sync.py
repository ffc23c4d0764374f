"""No host sync in a step: nothing in it reads a tensor's value or makes one of numbers of the host, in any recipe."""

import pytest
import torch

from ganzoo.engine.capture import watched
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
from ganzoo.registry import registry
from ganzoo.resolve import resolve
from ganzoo.run import Run
from tests.support import tiny


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x[0].item(),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: torch.tensor([1.0, 2.0]) + x,
        lambda x: x.new_tensor([1.0, 2.0]) + x,
    ],
)
def test_the_instrument_sees_what_the_host_waits_for(wait):
    found = []
    watched(found)(lambda: wait(torch.ones(2)))
    assert len(found) == 1


def test_the_instrument_lets_be_what_the_host_does_not_wait_for():
    def work():
        x = torch.ones(2)
        x[x > 0] = 3.0
        x.index_fill_(0, torch.arange(1), 2.0)

    found = []
    watched(found)(work)
    assert not found


@pytest.mark.parametrize("name", registry().names("recipe"))
def test_a_step_does_not_wait_for_the_device(name, tmp_path):
    engine = Engine(resolve(tiny(name)), Run(tmp_path), Processes("cpu"), Observers())
    engine._step()  # optimisers make their state
    found = []
    watched(found)(lambda: (engine._step(), engine._step()))
    assert found == []
