"""The training steps as a tidy tutorial writes them: a DataLoader, `backward()`, default Adam, losses read."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss, softplus
from torch.utils.data import DataLoader, TensorDataset

from tests.benchmarks.loops import LOSSES, Step, slopes
from tests.benchmarks.works import R1_EVERY, Work


class Plain:
    """What every tutorial loop has."""

    def __init__(self, work: Work):
        self.nets = work.networks()
        self.optimizers = {
            n: torch.optim.Adam(net.parameters(), lr=work.lr, betas=work.betas) for n, net in self.nets.items()
        }
        self.loader = loader(work)
        self.batches: Iterator[list[Tensor]] = iter(self.loader)

    def batch(self) -> list[Tensor]:
        found = next(self.batches, None)
        if found is None:
            self.batches = iter(self.loader)
            found = next(self.batches)
        return found

    def update(self, names: tuple[str, ...], *losses: Tensor) -> None:
        for loss in losses:
            loss.backward()
        for name in names:
            self.optimizers[name].step()
        for loss in losses:
            loss.item()  # tutorials print them

    def clear(self, *names: str) -> None:
        for name in names:
            self.optimizers[name].zero_grad()


def loader(work: Work, kind: type[DataLoader] = DataLoader) -> DataLoader:
    """The data as tutorials hold it: normalised once, one item at a time into batches."""
    columns = [x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x for x in work.data().values()]
    return kind(TensorDataset(*columns), batch_size=work.batch, shuffle=True, drop_last=True)


def plain_gan(work: Work) -> Step:
    kit = Plain(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]
    discriminate, generate = LOSSES[work.loss or ""]

    def step() -> None:
        real, *condition = kit.batch()
        kit.clear("discriminator")
        fake = G(torch.randn(len(real), G.latent_size), *condition)
        kit.update(("discriminator",), discriminate(D(real, *condition), D(fake.detach(), *condition)))
        kit.clear("generator")
        kit.update(("generator",), generate(D(fake, *condition)))

    return step


def plain_r1r2(work: Work) -> Step:
    kit = Plain(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]

    def step() -> None:
        real, *condition = kit.batch()
        kit.clear("discriminator")
        fake = G(torch.randn(len(real), G.latent_size), *condition)
        x, y = real.requires_grad_(), fake.detach().requires_grad_()
        real_logits, fake_logits = D(x, *condition), D(y, *condition)
        penalty = (slopes(real_logits, x) + slopes(fake_logits, y)).mean()
        kit.update(("discriminator",), softplus(fake_logits - real_logits).mean() + 0.5 * penalty)
        kit.clear("generator")
        kit.update(("generator",), softplus(D(real.detach(), *condition) - D(fake, *condition)).mean())

    return step


def plain_wgan_gp(work: Work) -> Step:
    kit = Plain(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]

    def step() -> None:
        for _ in range(work.draws):
            (real,) = kit.batch()
            kit.clear("discriminator")
            fake = G(torch.randn(len(real), G.latent_size)).detach()
            share = torch.rand(len(real), 1, 1, 1)
            between = (share * real + (1 - share) * fake).requires_grad_()
            penalty = (slopes(D(between), between).sqrt() - 1).square().mean()
            kit.update(("discriminator",), D(fake).mean() - D(real).mean() + 10 * penalty)
        kit.clear("generator")
        kit.update(("generator",), -D(G(torch.randn(len(real), G.latent_size))).mean())

    return step


def plain_cyclegan(work: Work) -> Step:
    kit = Plain(work)
    ab, ba, D_a, D_b = (kit.nets[n] for n in ("ab", "ba", "d_a", "d_b"))

    def step() -> None:
        a, b = kit.batch()
        kit.clear("ab", "ba")
        fake_b, fake_a = ab(a), ba(b)
        same = l1_loss(ab(b), b) + l1_loss(ba(a), a)
        cycle = l1_loss(ba(fake_b), a) + l1_loss(ab(fake_a), b)
        adversarial = (D_b(fake_b) - 1).square().mean() + (D_a(fake_a) - 1).square().mean()
        kit.update(("ab", "ba"), adversarial + 10 * cycle + 5 * same)
        for name, D, real, fake in (("d_a", D_a, a, fake_a), ("d_b", D_b, b, fake_b)):
            kit.clear(name)
            kit.update((name,), ((D(real) - 1).square().mean() + D(fake.detach()).square().mean()) / 2)

    return step


def plain_srgan(work: Work) -> Step:
    kit = Plain(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]
    see = work.perception()

    def step() -> None:
        low, high = kit.batch()
        kit.clear("generator")
        fake = G(low)
        kit.update(("generator",), mse_loss(see(fake), see(high).detach()) + 1e-3 * softplus(-D(fake)).mean())
        kit.clear("discriminator")
        kit.update(("discriminator",), softplus(-D(high)).mean() + softplus(D(fake.detach())).mean())

    return step


def plain_stylegan2(work: Work) -> Step:
    kit = Plain(work)
    G, D = kit.nets["generator"], kit.nets["discriminator"]
    done = 0

    def step() -> None:
        nonlocal done
        (real,) = kit.batch()
        kit.clear("discriminator")
        fake = G(torch.randn(len(real), G.latent_size))
        losses = [softplus(-D(real)).mean() + softplus(D(fake.detach())).mean()]
        if done % R1_EVERY == 0:
            x = real.detach().requires_grad_()
            losses.append(R1_EVERY / 2 * slopes(D(x), x).mean())
        done += 1
        kit.update(("discriminator",), *losses)
        kit.clear("generator")
        kit.update(("generator",), softplus(-D(fake)).mean())

    return step


PLAIN = {
    "gan": plain_gan,
    "r1r2": plain_r1r2,
    "wgan-gp": plain_wgan_gp,
    "cyclegan": plain_cyclegan,
    "srgan": plain_srgan,
    "stylegan2": plain_stylegan2,
}
