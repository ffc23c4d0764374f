"""The training steps by hand, in plain torch, as quick as we can make them.

Resident uint8 data, one generator forward for both updates, no weight gradients of the network that isn't
updated, the discriminator on real and fake images at once where examples don't mix, fused Adam, multi-tensor average,
nothing read from the device.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss, relu, softplus

from tests.benchmarks.works import R1_EVERY, Work

Step = Callable[[], None]
LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "non-saturating": (lambda r, f: softplus(-r).mean() + softplus(f).mean(), lambda f: softplus(-f).mean()),
    "hinge": (lambda r, f: relu(1 - r).mean() + relu(1 + f).mean(), lambda f: -f.mean()),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
}


class Fast:
    """What every fast loop has: networks, optimisers, resident data and the average of the generator."""

    def __init__(self, work: Work):
        self.work = work
        self.layout = torch.channels_last if work.channels_last else torch.contiguous_format
        self.nets = {n: net.to(memory_format=self.layout) for n, net in work.networks().items()}
        self.weights = {n: list(net.parameters()) for n, net in self.nets.items()}
        self.optimizers = {
            n: torch.optim.Adam(w, lr=work.lr, betas=work.betas, fused=True) for n, w in self.weights.items()
        }
        self.averages = [_tensors(copy.deepcopy(self.nets[n]), self.nets[n]) for n in work.averaged]
        self.data = work.data()
        self.count = len(next(iter(self.data.values())))
        self.order, self.position = torch.randperm(self.count), 0

    def batch(self) -> list[Tensor]:
        if self.position + self.work.batch > self.count:
            self.order, self.position = torch.randperm(self.count), 0
        rows = self.order[self.position : self.position + self.work.batch]
        self.position += self.work.batch
        found = [column[rows] for column in self.data.values()]
        return [
            x.float().mul_(2 / 255).sub_(1).contiguous(memory_format=self.layout) if x.dtype == torch.uint8 else x
            for x in found
        ]

    def update(self, names: tuple[str, ...], loss: Tensor) -> None:
        weights = [w for name in names for w in self.weights[name]]
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient if gradient.stride() == weight.stride() else torch.empty_like(weight).copy_(gradient)
        for name in names:
            self.optimizers[name].step()
        for weight in weights:
            weight.grad = None

    @torch.no_grad()
    def average(self) -> None:
        for averaged, live, buffers in self.averages:
            torch._foreach_lerp_(averaged, live, 0.005)
            for to, of in buffers:
                to.copy_(of)


def _tensors(average: nn.Module, live: nn.Module) -> tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]]:
    """Parameters of both, and pairs of their buffers."""
    buffers = list(zip(average.buffers(), live.buffers(), strict=True))
    return list(average.parameters()), list(live.parameters()), buffers


def _logits(D: nn.Module, real: Tensor, fake: Tensor, *condition: Tensor) -> tuple[Tensor, Tensor]:
    if not D.per_sample:
        return D(real, *condition), D(fake, *condition)
    real_logits, fake_logits = D(torch.cat([real, fake]), *(torch.cat([c, c]) for c in condition)).chunk(2)
    return real_logits, fake_logits


def slopes(logits: Tensor, x: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(1)


def fast_gan(work: Work) -> Step:
    kit = Fast(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]
    discriminate, generate = LOSSES[work.loss or ""]

    def step() -> None:
        real, *condition = kit.batch()
        fake = G(G.latent(len(real)), *condition)
        kit.update(("discriminator",), discriminate(*_logits(D, real, fake.detach(), *condition)))
        kit.update(("generator",), generate(D(fake, *condition)))
        kit.average()

    return step


def fast_r1r2(work: Work) -> Step:
    """Relativistic pairing with both zero-centred penalties (Huang et al., 2024), the discriminator in one pass."""
    kit = Fast(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]

    def step() -> None:
        real, *condition = kit.batch()
        fake = G(G.latent(len(real)), *condition)
        both = torch.cat([real, fake.detach()]).requires_grad_()
        logits = D(both, *(torch.cat([c, c]) for c in condition))
        penalty = slopes(logits, both).sum() / len(real)
        real_logits, fake_logits = logits.chunk(2)
        kit.update(("discriminator",), softplus(fake_logits - real_logits).mean() + 0.5 * penalty)
        with torch.no_grad():
            real_logits = D(real, *condition)
        kit.update(("generator",), softplus(real_logits - D(fake, *condition)).mean())
        kit.average()

    return step


def fast_wgan_gp(work: Work) -> Step:
    kit = Fast(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]

    def step() -> None:
        for _ in range(work.draws):
            (real,) = kit.batch()
            with torch.no_grad():
                fake = G(G.latent(len(real)))
            real_logits, fake_logits = _logits(D, real, fake)
            between = torch.lerp(real, fake.float(), torch.rand(len(real), 1, 1, 1)).requires_grad_()
            penalty = ((slopes(D(between), between) + 1e-12).sqrt() - 1).square().mean()
            kit.update(("discriminator",), fake_logits.mean() - real_logits.mean() + 10 * penalty)
        kit.update(("generator",), -D(G(G.latent(len(real)))).mean())
        kit.average()

    return step


def fast_cyclegan(work: Work) -> Step:
    kit = Fast(work)
    ab, ba, D_a, D_b = (kit.nets[n] for n in ("ab", "ba", "d_a", "d_b"))

    def step() -> None:
        a, b = kit.batch()
        fake_b, same_b = ab(torch.cat([a, b])).chunk(2)
        fake_a, same_a = ba(torch.cat([b, a])).chunk(2)
        cycle = l1_loss(ba(fake_b), a) + l1_loss(ab(fake_a), b)
        adversarial = (D_b(fake_b) - 1).square().mean() + (D_a(fake_a) - 1).square().mean()
        kit.update(("ab", "ba"), adversarial + 10 * cycle + 5 * (l1_loss(same_a, a) + l1_loss(same_b, b)))
        scored = (D_a(torch.cat([a, fake_a.detach()])), D_b(torch.cat([b, fake_b.detach()])))
        halves = [logits.chunk(2) for logits in scored]
        kit.update(("d_a", "d_b"), sum((r - 1).square().mean() + f.square().mean() for r, f in halves) / 2)
        kit.average()

    return step


def fast_srgan(work: Work) -> Step:
    kit = Fast(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]
    see = work.perception().to(memory_format=kit.layout)

    def step() -> None:
        low, high = kit.batch()
        fake = G(low)
        real_logits, fake_logits = _logits(D, high, fake.detach())
        kit.update(("discriminator",), softplus(-real_logits).mean() + softplus(fake_logits).mean())
        with torch.no_grad():
            wanted = see(high)
        kit.update(("generator",), mse_loss(see(fake), wanted) + 1e-3 * softplus(-D(fake)).mean())
        kit.average()

    return step


def fast_stylegan2(work: Work) -> Step:
    kit = Fast(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]
    done = 0

    def step() -> None:
        nonlocal done
        lazy = done % R1_EVERY == 0
        done += 1
        (real,) = kit.batch()
        real.requires_grad_(lazy)
        fake = G(G.latent(len(real)))
        real_logits, fake_logits = _logits(D, real, fake.detach())
        loss = softplus(-real_logits).mean() + softplus(fake_logits).mean()
        if lazy:
            loss = loss + R1_EVERY / 2 * slopes(real_logits, real).mean()
        kit.update(("discriminator",), loss)
        kit.update(("generator",), softplus(-D(fake)).mean())
        kit.average()

    return step


FAST = {
    "gan": fast_gan,
    "r1r2": fast_r1r2,
    "wgan-gp": fast_wgan_gp,
    "cyclegan": fast_cyclegan,
    "srgan": fast_srgan,
    "stylegan2": fast_stylegan2,
}
