"""The strategy contract, tried with throw-away strategies of very different shapes."""

import pytest
import torch

from ganzoo import Regularizer, Strategy, Update
from ganzoo.penalties import gradient_penalty, interpolate
from ganzoo.regularized import regularize
from tests.engine.tools import PAIR, Plain, Wasserstein, clone, data, networks, run, stepper, weights


class Critics(Plain):
    """Several batches a step, and an update that is a penalty alone."""

    def step(self, nets, batches):
        for _ in range(3):
            (real,) = next(batches)
            D = nets.discriminator
            yield Update(D, self.loss.discriminator(D(real), D(nets.generator(real.flip(1)))))
        yield Update(D, gradient_penalty(D, interpolate(real, real.flip(0)).detach() * 0 + real))
        yield Update(nets.generator, self.loss.generator(D(nets.generator(real))))


class Together(Plain):
    """A tuple: all gradients before any weight moves; the discriminator recurs, so its gradients are summed."""

    def step(self, nets, batches):
        (real,) = next(batches)
        G, D = nets.generator, nets.discriminator
        fake = G(real)
        yield (
            Update(D, self.loss.discriminator(D(real), D(fake.detach()))),
            Update(G, self.loss.generator(D(fake))),
            Update(D, D(real).square().mean()),
        )


class Cycle(Strategy):
    """Two generators in one update, then two discriminators in another."""

    networks = "a_to_b", "b_to_a", "judge_a", "judge_b"

    def step(self, nets, batches):
        (x,) = next(batches)
        there, back = nets.a_to_b(x), nets.b_to_a(x)
        cycle = (nets.b_to_a(there) - x).square().mean() + (nets.a_to_b(back) - x).square().mean()
        loss = cycle - nets.judge_b(there).mean() - nets.judge_a(back).mean()
        yield Update((nets.a_to_b, nets.b_to_a), loss, cycle=cycle)
        judged = nets.judge_b(there.detach()).mean() - nets.judge_b(x).mean()
        judged = judged + nets.judge_a(back.detach()).mean() - nets.judge_a(x).mean()
        yield Update((nets.judge_a, nets.judge_b), judged)


FOUR = {"a_to_b": (2, 2), "b_to_a": (2, 2), "judge_a": (2, 1), "judge_b": (2, 1)}
SHAPES = {Plain: PAIR, Critics: PAIR, Together: PAIR, Cycle: FOUR}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("accumulate", [2, 4])
def test_micro_batches_equal_the_big_batch(kind, accumulate):
    whole, parts = networks(**SHAPES[kind]), networks(**SHAPES[kind])
    run(kind(loss=Wasserstein()), whole, accumulate=1)
    run(kind(loss=Wasserstein()), parts, accumulate=accumulate)
    for (name, a), b in zip(weights(whole).items(), weights(parts).values(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-13), name


def test_a_step_equals_the_same_step_by_hand():
    nets = networks(**PAIR)
    hand = clone(nets)
    run(Plain(loss=Wasserstein()), nets, steps=2)
    G, D = hand["generator"], hand["discriminator"]
    for number in range(2):
        (real,) = data(8 * number, 8 * number + 8)
        d = D(G(real.flip(1)).detach()).mean() - D(real).mean()
        gradients = torch.autograd.grad(d, list(D.parameters()), allow_unused=True)
        with torch.no_grad():
            for p, g in zip(D.parameters(), gradients, strict=True):
                p -= 0.1 * g if g is not None else 0
        gradients = torch.autograd.grad(-D(G(real.flip(1))).mean(), list(G.parameters()))
        with torch.no_grad():
            for p, g in zip(G.parameters(), gradients, strict=True):
                p -= 0.1 * g
    for (name, a), b in zip(weights(nets).items(), weights(hand).values(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-14), name


def test_a_tuple_takes_all_gradients_before_any_weight_moves():
    nets = networks(**PAIR)
    hand = clone(nets)
    run(Together(loss=Wasserstein()), nets, steps=1)
    G, D = hand["generator"], hand["discriminator"]
    (real,) = data(0, 8)
    first = D(G(real).detach()).mean() - D(real).mean() + D(real).square().mean()
    for net, loss in ((D, first), (G, -D(G(real)).mean())):
        gradients = torch.autograd.grad(loss, list(net.parameters()), retain_graph=True)
        for p, g in zip(net.parameters(), gradients, strict=True):
            p.grad = g
    with torch.no_grad():
        for p in (*D.parameters(), *G.parameters()):
            p -= 0.1 * p.grad
    for (name, a), b in zip(weights(nets).items(), weights(hand).values(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-14), name


def test_every_draw_is_counted_and_fresh():
    seen = []

    def read(start, stop):
        seen.append((start, stop))
        return data(start, stop)

    done = run(Critics(loss=Wasserstein()), networks(**PAIR), steps=2, accumulate=2, read=read)
    assert [step.drawn for step in done] == [24, 24]
    assert sorted(seen) == [(i, i + 4) for i in range(0, 48, 4)]


def test_only_the_named_networks_receive_gradients_and_nothing_leaks():
    class Watch(Plain):
        def step(self, nets, batches):
            D, G = nets.discriminator, nets.generator
            for update in super().step(nets, batches):
                before = weights({"d": D, "g": G})
                yield update
                moved = {name[0] for name, value in weights({"d": D, "g": G}).items() if not value.equal(before[name])}
                assert moved == {"d" if update.networks == (D,) else "g"}
                assert all(p.grad is None and p.requires_grad for net in (D, G) for p in net.parameters())

    run(Watch(loss=Wasserstein()), networks(**PAIR), steps=1)


def test_a_strategy_is_testable_without_an_engine():
    from types import SimpleNamespace

    nets = SimpleNamespace(**networks(**PAIR))
    batches = (data(i, i + 8) for i in range(100))
    updates = list(Critics(loss=Wasserstein()).step(nets, batches))
    assert [u.networks for u in updates] == [(nets.discriminator,)] * 4 + [(nets.generator,)]


def test_state_changes_once_a_step_from_the_mean_over_micro_batches():
    class Stateful(Plain):
        def __init__(self, config=None, loss=None):
            super().__init__(config, loss)
            self.register_buffer("balance", torch.zeros(()))
            self.seen = []

        def step(self, nets, batches):
            (real,) = next(batches)
            yield Update(nets.discriminator, nets.discriminator(real).mean(), size=real.mean())

        def after_step(self, means):
            self.balance += means["discriminator/size"].float()
            self.seen.append(set(means))

    one, four = Stateful(), Stateful()
    run(one, networks(**PAIR), steps=3)
    run(four, networks(**PAIR), steps=3, accumulate=4)
    assert one.balance != 0
    torch.testing.assert_close(one.balance, four.balance)
    assert len(four.seen) == 3
    assert one.seen[0] == {"discriminator/size", "discriminator/loss"}


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_an_update_that_is_not_finite_moves_nothing(name, where):
    class Diverges(Plain):
        def step(self, nets, batches):
            (real,) = next(batches)
            D = nets.discriminator
            yield Update(D, D(real).mean())
            bad = torch.tensor(float("nan" if where == "gradient" else "inf"))
            loss = D(real).mean()
            yield Update(D, loss * bad if where == "gradient" else loss + bad)
            yield Update(nets.generator, nets.generator(real).mean())

    nets = networks(**PAIR)
    machine = stepper(Diverges(), nets, optimizer={"name": name, "momentum": 0.5})
    first = stepper(Plain(loss=Wasserstein()), clone(nets))
    first.step()
    done = machine.step()
    finite = [not bad for _, bad in done.updates]
    assert finite == [True, False, True]
    assert all(torch.isfinite(value).all() for value in weights(nets).values())
    state = machine.optimizers["discriminator"].state_dict()["state"]
    tensors = [v for s in state.values() for v in s.values() if isinstance(v, torch.Tensor)]
    assert tensors
    assert all(torch.isfinite(v).all() for v in tensors)


def test_a_parameter_without_gradient_is_left_alone():
    class Half(Strategy):
        def step(self, nets, batches):
            (real,) = next(batches)
            yield Update(nets.discriminator, nets.discriminator[0](real).mean())

    nets = networks(**PAIR)
    before = weights(nets)
    run(Half(), nets, optimizer={"name": "adam", "weight_decay": 0.1})
    after = weights(nets)
    changed = {name for name in before if not before[name].equal(after[name])}
    assert changed == {"discriminator.0.weight", "discriminator.0.bias"}


def test_randomness_belongs_to_seed_step_segment_and_shard():
    class Draws(Strategy):
        def __init__(self):
            super().__init__()
            self.drawn = []

        def step(self, nets, batches):
            (real,) = next(batches)
            for _ in range(2):
                self.drawn.append(round(torch.rand(()).item(), 6))
                yield Update(nets.discriminator, nets.discriminator(real).mean())

    def drawn(**options):
        strategy = Draws()
        run(strategy, networks(**PAIR), **options)
        return strategy.drawn

    first = drawn(accumulate=2, seed=1)
    torch.rand(7)  # somebody else's draws don't matter
    assert drawn(accumulate=2, seed=1) == first
    assert len(set(first)) == len(first) == 12
    assert set(drawn(accumulate=2, seed=2)).isdisjoint(first)


def test_clipping_by_norm_and_by_value():
    class Steep(Strategy):
        def step(self, nets, batches):
            (real,) = next(batches)
            yield Update(nets.discriminator, 1000 * nets.discriminator(real).mean())

    for setting, largest in (({"clip_norm": 0.5}, 0.5), ({"clip_value": 0.01}, None)):
        nets = networks(**PAIR)
        before = weights(nets)
        run(Steep(), nets, steps=1, optimizer={"name": "sgd", "lr": 1.0, **setting})
        moves = [(after - before[name]).flatten() for name, after in weights(nets).items()]
        moved = torch.cat(moves)
        if largest:
            assert moved.norm().item() == pytest.approx(largest, rel=1e-4)
        else:
            assert moved.abs().max().item() == pytest.approx(0.01)


def test_bf16_covers_the_forward_and_penalties_are_widened():
    class Casts(Strategy):
        def step(self, nets, batches):
            (real,) = next(batches)
            logits = nets.discriminator(real)
            assert logits.dtype == torch.bfloat16
            penalty = gradient_penalty(nets.discriminator, real)
            assert penalty.dtype == torch.float32
            yield Update(nets.discriminator, logits.float().mean() + penalty)

    nets = {name: net.float() for name, net in networks(**PAIR).items()}
    done = run(Casts(), nets, steps=1, read=lambda a, b: tuple(t.float() for t in data(a, b)), precision="bf16")
    assert not done[0].updates[0][1]
    assert all(p.dtype == torch.float32 for p in nets["discriminator"].parameters())


def test_in_bf16_state_follows_metrics_in_float32():
    class Follows(Regularizer):
        def __init__(self):
            super().__init__()
            self.register_buffer("real", torch.zeros(()))

        def observe(self, real, fake):
            return {"real": real.mean()}

        def after_step(self, means, images):
            self.real.lerp_(means["discriminator/real"], 1.0)

    def read(start, stop):
        return tuple(t.float() for t in data(start, stop))

    def followed(kind, accumulate):
        strategy = Plain(loss=Wasserstein())
        regularize(strategy, {"follows": Follows()})
        nets = {name: net.float() for name, net in networks(**PAIR).items()}
        (done,) = run(strategy, nets, steps=1, read=read, precision=kind, accumulate=accumulate)
        assert all(value.dtype == torch.float32 for values in done.metrics.values() for value in values)
        return strategy.regularizers["follows"].real.item()

    exact = followed("fp32", 1)
    assert followed("bf16", 1) == pytest.approx(exact, abs=2**-8)
    assert followed("bf16", 4) == pytest.approx(exact, abs=2**-8)
