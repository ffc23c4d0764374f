"""Learning rates: warm-up by images, then a schedule over the budget."""

import pytest
import torch

from ganzoo.strategy import Progress
from tests.engine.test_contract import PAIR, Plain, Wasserstein
from tests.engine.tools import data, networks, stepper, weights


def moved(images, fraction, **settings):
    """How far the step's first update moves the discriminator there, by the same examples each time."""
    nets, strategy = networks(**PAIR), Plain(loss=Wasserstein())
    before = weights(nets)
    optimizer = {"name": "sgd", "lr": 0.1, **settings}
    machine = stepper(strategy, nets, optimizer=optimizer, read=lambda start, stop: data(0, stop - start))
    strategy.__dict__["progress"] = Progress(0, images, fraction)
    machine.step()
    return torch.cat([(v - before[k]).flatten() for k, v in weights(nets).items() if k.startswith("discriminator")])


@pytest.mark.parametrize(
    ("images", "fraction", "settings", "share"),
    [
        (0, 0.0, {"warmup": 32}, 0.0),
        (8, 0.0, {"warmup": 32}, 0.25),
        (32, 0.0, {"warmup": 32}, 1.0),
        (64, 0.5, {"warmup": 32}, 1.0),
        (64, 0.25, {"schedule": "linear"}, 0.75),
        (64, 0.5, {"schedule": "cosine"}, 0.5),
        (64, 1.0, {"schedule": "cosine", "final": 0.1}, 0.1),
        (16, 0.5, {"schedule": "linear", "warmup": 32}, 0.25),
    ],
)
def test_a_step_is_as_long_as_warm_up_and_schedule_say(images, fraction, settings, share):
    torch.testing.assert_close(moved(images, fraction, **settings), share * moved(0, 0.0), rtol=1e-9, atol=1e-12)
