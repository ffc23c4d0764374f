"""The contract of a strategy, tried with the engine's own executor on tiny networks."""

import copy
import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.errors import PluginError
from ganzoo.strategy import Strategy
from ganzoo.testing.bench import BATCH, CLASSES, FRACTIONS, Bench, Logistic, Paired, updated, walk, weights
from ganzoo.testing.contract import Fault, NotRun, Subject, check, need

STEPS = 4


@check("strategy")
def steps(subject: Subject) -> None:
    """Some steps run: scalar losses that reach the networks they name, no stale graph, no assignment to self."""
    for bench in _benches(subject):
        try:
            done = walk(bench.stepper(bench.strategy(), bench.networks), STEPS)
        except (PluginError, AttributeError) as error:
            raise Fault(f"{subject}: {error}") from error
        need(all(step.drawn for step in done), subject, "draws no batch; take one by next(batches)")
        finite = not any(bool(bad) for step in done for _, bad in step.updates)
        need(finite, subject, "gives a loss or gradient that isn't finite on tame data; look for a root or log at 0")


def _benches(subject: Subject) -> list[Bench]:
    """With and without labels, where it is tried on the kit's own pair."""
    first = Bench(subject)
    return [first, Bench(subject, conditional=True)] if first.is_pair else [first]


@check("strategy")
def trains_all(subject: Subject) -> None:
    """Each of its networks is updated, within 64 steps that go through the whole budget."""
    bench = Bench(subject)
    stepper, moved = bench.stepper(bench.strategy(), bench.networks), set[str]()
    for number in range(64):
        (step,) = walk(stepper, 1, number, number * BATCH, of=64)
        moved |= updated(step)
        if moved == set(bench.kind.networks):
            return
    idle = sorted(set(bench.kind.networks) - moved)
    raise Fault(f"{subject} never updates {', '.join(idle)}; yield an Update of it, or leave it out of networks")


@check("strategy")
def named_networks_only(subject: Subject) -> None:
    """Gradients are the engine's affair: no .grad is filled, no requires_grad toggled, no batch changed in place."""
    bench = Bench(subject)
    nets, batches = SimpleNamespace(**bench.networks), []

    def kept() -> Iterator[tuple[Tensor, ...]]:
        for batch in bench.batches():
            batches.append((batch, [t.clone() for t in batch]))
            yield batch

    parameters = [p for net in bench.networks.values() for p in net.parameters()]
    for _ in (update for at in FRACTIONS for update in bench.strategy(at=at).step(nets, kept())):
        clean = all(p.grad is None for p in parameters)
        need(clean, subject, "calls backward() itself; yield Update(network, loss), and the engine takes the gradients")
        need(
            all(p.requires_grad for p in parameters), subject, "toggles requires_grad; name the networks in the Update"
        )
    for batch, before in batches:
        same = all(torch.equal(a, b) for a, b in zip(batch, before, strict=True))
        need(same, subject, "changes a batch in place; use operations without a trailing underscore")


@check("strategy")
def state_in_after_step(subject: Subject) -> None:
    """`step` changes nothing of self, not even in place: with accumulation several run over one strategy."""
    bench = Bench(subject)
    nets = SimpleNamespace(**bench.networks)
    for strategy in (bench.strategy(at=at) for at in FRACTIONS):
        before = _inside(strategy)
        for _ in strategy.step(nets, bench.batches()):
            after = _inside(strategy)
            changed = [name for name in {**before, **after} if not _equal(before.get(name), after.get(name))]
            said = f"changes self.{', self.'.join(changed)} in step; use a local variable, or after_step(self, means)"
            need(not changed, subject, said)


def _inside(strategy: Strategy) -> dict[str, Any]:
    plain = {k: v for k, v in vars(strategy).items() if isinstance(v, int | float | str | list | dict | set | tuple)}
    plain = {k: copy.deepcopy(v) for k, v in plain.items() if not k.startswith("_")}
    tensors = {k: v for k, v in vars(strategy).items() if isinstance(v, Tensor)}
    return plain | {k: v.clone() for k, v in {**tensors, **strategy.state_dict()}.items()}


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.equal(a, b)
    try:
        return bool(a == b)
    except RuntimeError:  # lists of tensors
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))


class _NoSync(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            raise Fault(
                "reads a tensor's value in step (.item(), float(), if tensor), which waits for the device and lets "
                "processes part ways; keep it a tensor, or decide in after_step"
            )
        return func(*args, **(kwargs or {}))


@check("strategy")
def no_values_in_step(subject: Subject) -> None:
    """`step` never asks for a tensor's value on the host."""
    bench = Bench(subject)
    try:
        with _NoSync():  # type: ignore[no-untyped-call]
            for at in FRACTIONS:
                for _ in bench.strategy(at=at).step(SimpleNamespace(**bench.networks), bench.batches()):
                    pass
    except Fault as fault:
        raise Fault(f"{subject} {fault}") from None


@check("strategy")
def direction(subject: Subject) -> None:
    """Training the discriminator alone parts real from fake; training the generator alone raises the score of fakes."""
    bench = Bench(subject)
    if not bench.is_pair or len(bench.kind.networks) < 2 or not bench.kind.needs_loss:
        raise NotRun("it isn't an adversarial pair")
    turns = (("discriminator", "generator"), ("generator", "discriminator"))
    for name, other, at in ((*turn, at) for turn in turns for at in _asked(bench, turn[0]) or FRACTIONS[:1]):
        nets = bench.copies()
        before = _scores(nets)
        walk(bench.stepper(bench.strategy(at=at), nets, rates={other: 1e-12, name: 0.02}), 8, stay=True)
        after = _scores(nets)
        if name == "discriminator":
            need(
                after[0] > before[0],
                subject,
                "trains its discriminator to score fakes above reals; turn the loss's sign",
            )
        else:
            need(
                after[1] > before[1],
                subject,
                "trains its generator to lower its score; give self.loss.generator(D(fake))",
            )


class Listening(Logistic):
    """The kit's loss, which remembers whose turns it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        self.asked.add("discriminator")
        return super().discriminator_loss(real, fake)

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        self.asked.add("generator")
        return super().generator_loss(fake, real)


def _asked(bench: Bench, name: str) -> list[float]:
    """At which fractions of the budget a network's loss is the adversarial one, with others perhaps."""
    found = []
    for at in FRACTIONS:
        loss = Listening()
        walk(bench.stepper(bench.strategy(loss, at), bench.copies()), 1, stay=True)
        found += [at] if name in loss.asked else []
    return found


def _scores(nets: dict[str, Any]) -> tuple[float, float]:
    """Mean score of reals less that of fakes, and that of fakes."""
    G, D = nets["generator"], nets["discriminator"]
    latents = torch.randn(256, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    real = torch.sin(
        torch.arange(BATCH, dtype=torch.float64)[:, None] * 0.7 + torch.linspace(0, 9, 192, dtype=torch.float64)
    )
    with torch.no_grad():
        fake = D(G(latents)).mean().item()
        return D(real.view(-1, 3, 8, 8)).mean().item() - fake, fake


@check("strategy")
def overfits(subject: Subject) -> None:
    """On the same batches and noise, each network's own updates bring its own loss down within a few steps."""
    bench, known = Bench(subject), []
    rate = 1e-3 if bench.is_pair else 1e-5
    for at in FRACTIONS:
        (step,) = walk(bench.stepper(bench.strategy(at=at), bench.copies()), 1, stay=True)
        metrics = {name: [value.item() for value in values] for name, values in step.metrics.items()}
        if metrics in known:  # the same step as at another fraction
            continue
        known.append(metrics)
        for names in dict.fromkeys(part for together, _ in step.updates for part in together.split(" and ")):
            fell = _falls(bench, at, names, 3, rate, "sgd")
            fell = fell or _falls(bench, at, names, 12, 1e-3, "adam")  # with a stopped gradient
            said = f"has a loss of {names!r} that its own gradient doesn't lower; is a part of it detached?"
            need(fell, subject, said)


def _falls(bench: Bench, at: float, names: str, steps: int, rate: float, optimizer: str) -> bool:
    """Whether the loss of these networks is lower after some steps in which they alone move."""
    rates = dict.fromkeys(bench.kind.networks, 1e-12) | dict.fromkeys(names.split("+"), rate)
    stepper = bench.stepper(bench.strategy(at=at), bench.copies(), rates=rates, optimizer=optimizer)
    done = [step.metrics.get(f"{names}/loss") for step in walk(stepper, steps, stay=True)]
    losses = [torch.stack(found).mean() for found in done if found]
    return len(losses) < 2 or bool(losses[-1] <= losses[0])


@check("strategy")
def label_sensitivity(subject: Subject) -> None:
    """The batch's condition reaches the networks: other labels give other gradients, whenever they are trained."""
    seen: dict[str, list[bool]] = {}
    for at in FRACTIONS:
        moved, done = [], []
        for shift in range(2):
            bench = Bench(subject, conditional=True)
            bench.labels = (torch.arange(BATCH) + shift) % CLASSES
            done += walk(bench.stepper(bench.strategy(at=at), bench.networks), 1, stay=True)
            moved.append(weights(bench.networks))
        for name in updated(done[0]):
            keys = [key for key in moved[0] if key.startswith(f"{name}.")]
            seen.setdefault(name, []).append(any(not torch.equal(moved[0][key], moved[1][key]) for key in keys))
    for name in bench.kind.networks:
        said = f"trains {name!r} alike whatever the labels; pass *condition of the batch to every call"
        need(all(seen.get(name, [False])), subject, said)


@check("strategy")
def takes_a_relativistic_loss(subject: Subject) -> None:
    """A loss that compares real with fake gets the real logits in the generator's turn."""
    bench = Bench(subject)
    if not bench.kind.needs_loss:
        raise NotRun("it takes no loss")
    try:
        walk(bench.stepper(bench.strategy(Paired()), bench.networks), len(FRACTIONS))
    except PluginError as error:
        raise Fault(f"{subject}: {error}") from None


@check("strategy")
def interpolates_per_example(subject: Subject) -> None:
    """A point between a real and a fake image has one share per example, not one per pixel."""
    bench = Bench(subject)
    if "discriminator" not in bench.networks or "generator" not in bench.networks:
        raise NotRun("it isn't an adversarial pair")
    real: list[Tensor] = []
    fake: list[Tensor] = []
    seen: list[Tensor] = []
    bench.networks["generator"].register_forward_hook(lambda _, __, made: fake.append(made.detach()))
    bench.networks["discriminator"].register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))

    def kept() -> Iterator[tuple[Tensor, ...]]:
        for batch in bench.batches():
            real.extend(part for part in batch if part.dim() == 4)
            yield batch

    for at in FRACTIONS:
        for _ in bench.strategy(at=at).step(SimpleNamespace(**bench.networks), kept()):
            pass
    for x, r, f in itertools.product(seen, real, fake):
        if x.shape == r.shape == f.shape and _between(x, r, f):
            share = ((x - f) / (r - f)).flatten(1)
            one = bool(((share - share.mean(1, keepdim=True)).abs() < 1e-6).all())
            need(one, subject, "mixes real and fake with a share per pixel; use ganzoo.penalties.interpolate")


def _between(x: Tensor, a: Tensor, b: Tensor) -> bool:
    inside = (x >= torch.minimum(a, b) - 1e-12) & (x <= torch.maximum(a, b) + 1e-12)
    return bool(inside.all()) and not torch.equal(x, a) and not torch.equal(x, b)
