"""The contract of a regulariser, tried with the engine's own executor on a plain GAN of tiny networks."""

import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.loss import Loss
from ganzoo.penalties import zero_centered_penalty
from ganzoo.regularized import attach, regularize, updates
from ganzoo.regularizer import Regularizer
from ganzoo.strategy import Progress, Strategy, Update, Updates
from ganzoo.testing.bench import Bench, Logistic, SameNoise, narrowed, walk, weights
from ganzoo.testing.contract import Fault, NotRun, Subject, check, need, needs_settings
from ganzoo.testing.strategies import _inside, _NoSync

STEPS = 4


class Plain(Strategy):
    """One discriminator update, then one generator update (Goodfellow et al., 2014)."""

    def step(self, nets: Any, batches: Iterator[tuple[Tensor, ...]]) -> Updates:
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        yield Update(D, self.loss.discriminator(*self.logits(D, (real, fake.detach()), *condition)))
        yield Update(G, self.loss.generator(D(fake, *condition)))


class Regularized(Bench):
    """A plain GAN with the regulariser under test."""

    def __init__(self, subject: Subject, **how: Any):
        super().__init__(subject, kind=Plain, **how)

    def strategy(self, loss: Loss | None = None, at: float = 0.0) -> Strategy:
        try:
            regularizer: Regularizer = self.subject.target(self.subject.config())
        except ValueError as error:
            raise needs_settings(error) from None
        strategy = Plain(None, loss or Logistic())
        strategy.progress = Progress(fraction=at)
        regularize(strategy, {self.subject.name: regularizer})
        torch.manual_seed(0)
        for name, network in self.networks.items():
            attach(strategy, name, network)
        return strategy.to(self.dtype)


@check("regularizer")
def does_something(subject: Subject) -> None:
    """It writes at least one of attach, augment and term."""
    written = [getattr(subject.target, n) is not getattr(Regularizer, n) for n in ("attach", "augment", "term")]
    need(any(written), subject, "changes nothing; write attach, augment or term")


@check("regularizer")
def steps(subject: Subject) -> None:
    """Some steps run, with and without labels, and stay finite."""
    for conditional in (False, True):
        bench = Regularized(subject, conditional=conditional)
        try:
            done = walk(bench.stepper(bench.strategy(), bench.networks), STEPS)
        except (PluginError, AttributeError) as error:
            raise Fault(f"{subject}: {error}") from error
        finite = not any(bool(bad) for step in done for _, bad in step.updates)
        need(finite, subject, "gives a loss or gradient that isn't finite on tame data; look for a root at 0")


@check("regularizer")
def augments_twice_differentiably(subject: Subject) -> None:
    """Images keep their shape and dtype, and a gradient penalty goes through."""
    bench = Regularized(subject)
    strategy, (images,) = bench.strategy(), bench.read(0, 4)
    regularizer: Any = strategy.regularizers[subject.name]
    before = images.clone()
    seen = regularizer.augment(images)
    need(seen.shape == images.shape and seen.dtype == images.dtype, subject, "changes images' shape or dtype")
    need(torch.equal(before, images), subject, "changes images in place; use operations without a trailing underscore")
    D = bench.networks["discriminator"]
    through = nn.Sequential(_Augmented(regularizer), D)
    try:
        penalty = zero_centered_penalty(through, images)
        found = torch.autograd.grad(penalty, list(D.parameters()), allow_unused=True)
    except RuntimeError as error:
        words = str(error).splitlines()[0][:200]
        raise Fault(f"{subject} augments by what isn't differentiable twice ({words})") from None
    need(any(g is not None and g.any() for g in found), subject, "lets no gradient of a penalty through")


class _Augmented(nn.Module):
    def __init__(self, regularizer: Regularizer):
        super().__init__()
        self.__dict__["regularizer"] = regularizer

    def forward(self, images: Tensor) -> Tensor:
        regularizer: Any = self.__dict__["regularizer"]
        made: Tensor = regularizer.augment(images)
        return made


@check("regularizer")
def state_in_after_step(subject: Subject) -> None:
    """A step changes nothing of self and reads no tensor's value."""
    bench = Regularized(subject)
    strategy, nets = bench.strategy(), SimpleNamespace(**bench.networks)
    regularizer: Any = strategy.regularizers[subject.name]
    before = _inside(regularizer)
    try:
        with _NoSync():  # type: ignore[no-untyped-call]
            for _ in updates(strategy, nets, bench.batches()):
                pass
    except Fault as fault:
        raise Fault(f"{subject} {fault}") from None
    after = _inside(regularizer)
    changed = [n for n, value in before.items() if isinstance(value, Tensor) and not torch.equal(value, after[n])]
    need(not changed, subject, f"changes self.{', self.'.join(changed)} in a step; use after_step(self, means, images)")


@check("regularizer")
def exact_resume(subject: Subject) -> None:
    """Stopped and resumed from what a checkpoint holds, it goes on bit for bit."""
    whole = Regularized(subject)
    walk(whole.stepper(whole.strategy(), whole.networks, optimizer="adam"), 2 * STEPS)
    first, then = Regularized(subject), Regularized(subject)
    stepper = first.stepper(first.strategy(), first.networks, optimizer="adam")
    done = walk(stepper, STEPS, of=2 * STEPS)
    again = then.stepper(then.strategy(), then.networks, optimizer="adam")
    for name, network in then.networks.items():
        network.load_state_dict(first.networks[name].state_dict())
        again.optimizers[name].load_state_dict(copy.deepcopy(stepper.optimizers[name].state_dict()))
    again.strategy.load_state_dict(stepper.strategy.state_dict())
    walk(again, STEPS, STEPS, sum(step.drawn for step in done))
    pairs = zip(weights(whole.networks).values(), weights(then.networks).values(), strict=True)
    same = all(torch.equal(a, b) for a, b in pairs)
    need(same, subject, "goes on otherwise after a checkpoint; hold its state in buffers (self.register_buffer)")


@check("regularizer")
def shards_equal(subject: Subject) -> None:
    """Four micro-batches reach the weights of the whole batch."""
    whole, parts = Regularized(subject), Regularized(subject)
    with SameNoise():
        walk(whole.stepper(whole.strategy(), whole.networks), STEPS)
        walk(parts.stepper(parts.strategy(), parts.networks, accumulate=4), STEPS)
    if not subject.target.per_sample:
        raise NotRun("it says per_sample = False")
    pairs = zip(weights(whole.networks).values(), weights(parts.networks).values(), strict=True)
    same = all(torch.allclose(a, b, rtol=0, atol=1e-9) for a, b in pairs)
    need(
        same, subject, "gives other weights in four micro-batches; take means over examples, or say per_sample = False"
    )


@check("regularizer")
def bf16(subject: Subject) -> None:
    """Two steps in bf16 are finite, and weights stay float32."""
    bench = Regularized(subject, dtype=torch.float32)
    done = walk(bench.stepper(bench.strategy(), bench.networks, precision="bf16"), 2)
    finite = not any(bool(bad) for step in done for _, bad in step.updates)
    need(finite, subject, "isn't finite in bf16; widen with ganzoo.wide before squares, roots and sums")
    narrow = narrowed(bench.networks)
    need(not narrow, subject, f"leaves {narrow} in another precision than float32; narrow copies, not the weights")
