"""What breaks the strategy contract is refused, and named in a sentence."""

import pytest
import torch

from ganzoo import Regularizer, Strategy, Update
from ganzoo.errors import PluginError
from ganzoo.regularized import regularize
from tests.engine.tools import PAIR, Plain, Wasserstein, networks, run


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_graph_from_before_a_yield_is_refused(name):
    """Fused kernels don't touch autograd's version counters by themselves: the engine must."""

    class Stale(Plain):
        def step(self, nets, batches):
            (real,) = next(batches)
            G, D = nets.generator, nets.discriminator
            score = D(G(real))
            yield Update(D, D(real).mean())
            yield Update(G, -score.mean())

    with pytest.raises(PluginError, match="weights have moved since"):
        run(Stale(), networks(**PAIR), steps=1, optimizer={"name": name})


def test_a_buffer_that_step_changes_in_place_is_named_and_an_argument_of_forward_is_not():
    class Grows(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 2, dtype=torch.float64)
            self.register_buffer("alpha", torch.ones((), dtype=torch.float64))

        def forward(self, x, alpha=None):
            return self.layer(x) * (self.alpha if alpha is None else alpha)

    class Grow(Strategy):
        def step(self, nets, batches):
            G, D = nets.generator, nets.discriminator
            (real,) = next(batches)
            fake = self.made(G, real)
            yield Update(D, D(fake.detach()).mean() - D(real).mean())
            yield Update(G, -D(fake).mean())

        def made(self, G, x):
            G.alpha.fill_(0.5)
            return G(x)

    class Told(Grow):
        def made(self, G, x):
            return G(x, alpha=0.5)

    def nets():
        return {"generator": Grows(), **networks(discriminator=(2, 1))}

    run(Told(), nets(), accumulate=2)
    with pytest.raises(
        PluginError, match=r"the buffer generator\.alpha was changed in place .*: give forward what varies"
    ):
        run(Grow(), nets(), accumulate=2)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda n, x: Update(n.discriminator, n.discriminator(x)), "must be a scalar"),
        (lambda n, x: Update(n.discriminator, n.discriminator(x).mean().detach()), "depends on no weight"),
        (lambda n, x: Update(n.generator, n.discriminator(x).mean()), "doesn't depend on 'generator'"),
        (lambda n, x: Update(torch.nn.Linear(1, 1), n.discriminator(x).mean()), "none of its networks"),
        (lambda n, x: (n.discriminator, n.discriminator(x).mean()), "Wrong yields a network; write `yield Update"),
        (lambda n, x: n.discriminator(x).mean(), "Wrong yields a Tensor; write `yield Update"),
        (lambda n, x: None, "Wrong yields a NoneType"),
        (lambda n, x: Update(n.discriminator, 1.0), "the loss of an Update must be a scalar tensor, not float"),
        (lambda n, x: Update(n.discriminator(x).mean(), n.discriminator), "must be a scalar tensor, not Net"),
        (lambda n, x: Update(3, n.discriminator(x).mean()), "int was given for networks"),
        (lambda n, x: Update(n.discriminator, n.discriminator(x).mean(), {"x": 1}), "dict for examples"),
        (
            lambda n, x: Update(n.discriminator, n.discriminator(x).mean(), gp=1.0),
            r"metric 'gp' of an Update must be a scalar tensor, not float; write loss.new_full\(\(\), value\)",
        ),
    ],
)
def test_a_wrong_update_is_named(step, message):
    class Wrong(Strategy):
        def step(self, nets, batches):
            yield step(nets, next(batches)[0])

    with pytest.raises(PluginError, match=message):
        run(Wrong(), networks(**PAIR), steps=1)


@pytest.mark.parametrize("yields", [0, 1])
def test_a_backward_before_the_yield_is_named(yields):
    class ByHand(Strategy):
        def step(self, nets, batches):
            (real,) = next(batches)
            for _ in range(yields):
                yield Update(nets.discriminator, nets.discriminator(real).mean())
            loss = nets.discriminator(real).square().mean()
            loss.backward()
            yield Update(nets.discriminator, loss)

    with pytest.raises(PluginError, match=r"used up before the yield, by backward\(\) or grad\(\) in step; leave"):
        run(ByHand(), networks(**PAIR), steps=1)


def test_what_a_regularised_strategy_yields_is_checked_too():
    class Wrong(Strategy):
        def step(self, nets, batches):
            D = nets.discriminator
            yield D, D(next(batches)[0]).mean()

    strategy = Wrong(loss=Wasserstein())
    regularize(strategy, {"steady": Regularizer()})
    with pytest.raises(PluginError, match="Wrong yields a network; write `yield Update"):
        run(strategy, networks(**PAIR), steps=1)


@pytest.mark.parametrize("regularizers", [{}, {"steady": Regularizer()}])
@pytest.mark.parametrize("nothing", [(), []])
def test_a_yield_without_updates_is_refused_and_not_taken_for_the_end_of_the_step(nothing, regularizers):
    class Seldom(Plain):
        def step(self, nets, batches):
            D, (real,) = nets.discriminator, next(batches)
            yield [Update(D, D(real).mean())] if self.due(2) else nothing
            yield Update(nets.generator, nets.generator(real).mean())

    strategy = Seldom(loss=Wasserstein())
    regularize(strategy, regularizers)
    run(strategy, networks(**PAIR), steps=1)
    with pytest.raises(PluginError, match=r"Seldom yields no updates \(an empty (tuple|list)\); leave the yield out"):
        run(strategy, networks(**PAIR), steps=2)


def test_step_may_not_assign_to_self():
    class Assigns(Plain):
        def step(self, nets, batches):
            self.count = 1
            yield from super().step(nets, batches)

    with pytest.raises(AttributeError, match=r"assigns self\.count"):
        run(Assigns(loss=Wasserstein()), networks(**PAIR), steps=1)


def test_yields_that_depend_on_values_are_named():
    class Depends(Plain):
        def step(self, nets, batches):
            (real,) = next(batches)
            net = nets.discriminator if real[0, 0] > 0 else nets.generator
            yield Update(net, net(real).mean())

    with pytest.raises(PluginError, match=r"micro-batch 0 and .* in micro-batch 1"):
        run(Depends(), networks(**PAIR), steps=4, accumulate=4)
