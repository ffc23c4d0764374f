"""The contract of a loss: a formula on logits with the right sign."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ganzoo.loss import Loss
from ganzoo.testing.contract import Fault, Subject, check, need

REAL, FAKE = (0.5, -0.25, 0.25, 0.75), (0.125, 0.75, 0.5, 0.25)  # mild: inside the margins and targets of any loss


def closed_form(
    loss: Loss, real: Sequence[float], fake: Sequence[float], *, discriminator: float, generator: float
) -> None:
    """Compare a loss with values that you worked out from the paper's formula. Raises Fault."""
    r, f = torch.tensor(real, dtype=torch.float64), torch.tensor(fake, dtype=torch.float64)
    turns = (("discriminator", loss.discriminator(r, f), discriminator), ("generator", loss.generator(f, r), generator))
    for turn, made, value in turns:
        if abs(made.item() - value) > 1e-9 * max(1.0, abs(value)):
            raise Fault(f"{type(loss).__name__}.{turn} gives {made.item():.12g}, and by your formula {value:.12g}")


def _loss(subject: Subject) -> Any:
    return subject.target(subject.config())


def _logits() -> tuple[Tensor, Tensor]:
    real, fake = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (REAL, FAKE))
    return real, fake


@check("loss")
def scalar(subject: Subject) -> None:
    """Both turns give a finite scalar in at least float32, at mild and extreme logits."""
    loss = _loss(subject)
    for scale in (1.0, 1e4, -1e4):
        real, fake = (scale * torch.tensor(v) for v in (REAL, FAKE))
        for turn, value in (
            ("discriminator", loss.discriminator(real, fake)),
            ("generator", loss.generator(fake, real)),
        ):
            need(value.shape == (), subject, f"gives shape {tuple(value.shape)} in {turn}(); reduce it by .mean()")
            fine = bool(torch.isfinite(value))
            need(
                fine, subject, f"is {value.item()} in {turn}() for logits of {scale:g}; use softplus, not log(sigmoid)"
            )
    narrow = loss.discriminator(torch.tensor(REAL).bfloat16(), torch.tensor(FAKE).bfloat16())
    need(
        narrow.dtype == torch.float32,
        subject,
        "doesn't widen bf16 logits; write discriminator_loss and generator_loss, and leave discriminator and generator",
    )


@check("loss")
def sign(subject: Subject) -> None:
    """The discriminator's turn raises real logits and lowers fake ones; the generator's raises fake ones."""
    loss = _loss(subject)
    real, fake = _logits()
    up, down = torch.autograd.grad(loss.discriminator(real, fake), [real, fake], allow_unused=True)
    need(up is not None and down is not None, subject, "has a discriminator_loss that uses only one of real and fake")
    need((up <= 0).all() and up.sum() < 0, subject, "lowers the real logits in discriminator_loss; turn their sign")
    need((down >= 0).all() and down.sum() > 0, subject, "raises the fake logits in discriminator_loss; turn their sign")
    (push,) = torch.autograd.grad(loss.generator(fake, real.detach()), [fake])
    need((push <= 0).all() and push.sum() < 0, subject, "lowers the fake logits in generator_loss; turn its sign")


@check("loss")
def slope(subject: Subject) -> None:
    """Its gradient is the slope of its value: nothing is detached, or changed in place."""
    loss, step = _loss(subject), 1e-5
    real, fake = _logits()
    before = real.detach().clone(), fake.detach().clone()
    turns: dict[str, tuple[Callable[[], Tensor], tuple[Tensor, ...]]] = {
        "discriminator_loss": (lambda: loss.discriminator(real, fake), (real, fake)),
        "generator_loss": (lambda: loss.generator(fake, real.detach()), (fake,)),
    }
    for name, (value, inputs) in turns.items():
        gradients = torch.autograd.grad(value(), inputs)
        same = torch.equal(real, before[0]) and torch.equal(fake, before[1])
        need(same, subject, f"changes the logits in place in {name}; use functions without a trailing underscore")
        for logits, gradient in zip(inputs, gradients, strict=True):
            for i in range(len(logits)):
                kept, values = logits.detach().clone(), []
                for side in (step, -step):
                    with torch.no_grad():
                        logits[i] = kept[i] + side
                        values.append(value().item())
                        logits.copy_(kept)
                numeric = (values[0] - values[1]) / (2 * step)
                close = abs(numeric - gradient[i].item()) < 1e-4
                need(close, subject, f"has a gradient in {name} that isn't its slope; is a part detached?")


@check("loss")
def says_what_it_is(subject: Subject) -> None:
    """`relativistic`, `only_differences` and `per_sample` are true of it, and several scales are averaged."""
    loss = _loss(subject)
    real, fake = (torch.randn(8, dtype=torch.float64) for _ in range(2))
    if not loss.relativistic:
        same = torch.equal(loss.generator(fake), loss.generator(fake, real))
        need(same, subject, "uses the real logits in generator_loss; say relativistic = True")
    moved = loss.discriminator(real + 10, fake + 10)  # beyond any margin
    same = torch.allclose(loss.discriminator(real, fake), moved, rtol=1e-9)
    said = "True" if same else "False"
    wrong = f"is {'the same' if same else 'another'} when 10 is added to all logits; say only_differences = {said}"
    need(same == loss.only_differences, subject, wrong)
    for turn, first, second in (("discriminator", real, fake), ("generator", fake, real)):
        formula = getattr(loss, turn)
        parts = torch.stack([formula(first[i : i + 2], second[i : i + 2]) for i in range(0, 8, 2)]).mean()
        even = torch.allclose(formula(first, second), parts, rtol=1e-9)
        need(
            even or not loss.per_sample,
            subject,
            f"mixes the examples of a batch in {turn}_loss; say per_sample = False",
        )
        both = formula([first, first[:4]], [second, second[:4]])
        mean = (formula(first, second) + formula(first[:4], second[:4])) / 2
        need(torch.allclose(both, mean), subject, f"doesn't average {turn}() over scales; write {turn}_loss instead")
    again = [loss.discriminator(real, fake) for _ in range(2)]
    need(torch.equal(*again), subject, "gives two values for the same logits; a loss must not draw random numbers")
