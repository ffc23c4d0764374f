"""The contract of an architecture: what its networks make, of what they depend, and that they learn."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.testing.bench import SameNoise
from ganzoo.testing.contract import NotRun, Subject, check, need
from ganzoo.testing.makers import COUNT, Maker, built, conditions, discriminator_of, makers, stir

FAR = 192  # pixels: a larger `context` is not tried


def total(logits: Any) -> Tensor:
    """The sum of logits, of one scale or several."""
    if isinstance(logits, Tensor):
        return logits.sum()
    return torch.stack([total(scale) for scale in logits]).sum()


@check("architecture")
def shapes(subject: Subject) -> None:
    """Images have the size, channels and range that the settings and `image_range` say; logits one row an image."""
    architecture, networks = built(subject)
    missing = [name for name in architecture.published if name not in networks]
    need(not missing, subject, f"publishes {missing} and doesn't build it; name it in networks")
    condition, found = conditions(architecture), makers(architecture, networks)
    others = [name for name in architecture.published if name not in [maker.name for maker in found]]
    need(not others, subject, f"publishes {others}, neither Generator nor Translator; leave it out of published")
    called = "discriminator" not in networks or discriminator_of(architecture, networks) is not None
    told = ", ".join(("images", *architecture.conditions))
    said = f"has a discriminator that isn't called as D({told}); give one that scores anything else another name"
    need(called, subject, said)
    for maker in found:
        given = maker.given()
        need(len(given) == COUNT, subject, f"has latent({COUNT}) of {len(given)} rows; draw one row an image")
        maker.network.eval()
        with torch.no_grad():
            images = maker.make(given, condition)
        right = images.dim() == 4 and len(images) == COUNT
        need(right, subject, f"makes images of shape {tuple(images.shape)}; (N, C, H, W)")
        (_generated if maker.generates else _transformed)(subject, maker, given, images)
        D = discriminator_of(architecture, networks)
        if D is not None and maker.generates:
            logits = D(images, *condition)
            rows = [len(scale) for scale in ([logits] if isinstance(logits, Tensor) else logits)]
            need(
                set(rows) == {COUNT}, subject, f"has logits of {rows} rows for {COUNT} images; keep the first dimension"
            )


def _generated(subject: Subject, maker: Maker, latents: Tensor, images: Tensor) -> None:
    size, channels = (getattr(maker.architecture.config, name, None) for name in ("size", "channels"))
    for name, wanted, made in (("channels", channels, images.shape[1]), ("size", size, images.shape[2])):
        need(wanted in (None, made), subject, f"makes images whose {name} is {made} when its settings say {wanted}")
    low, high = maker.architecture.image_range
    inside = low - 1e-4 <= images.min().item() <= images.max().item() <= high + 1e-4
    said = f"makes values from {images.min():.2f} to {images.max():.2f}; end with tanh, or say image_range"
    need(inside, subject, said)


def _transformed(subject: Subject, maker: Maker, given: Tensor, images: Tensor) -> None:
    scale = int(getattr(maker.network, "scale", 1))
    wanted = tuple(side * scale for side in given.shape[2:])
    said = (
        f"makes images of {tuple(images.shape[2:])} from {tuple(given.shape[2:])} when its scale is {scale}; say scale"
    )
    need(tuple(images.shape[2:]) == wanted, subject, said)
    setting = getattr(maker.architecture.config, "scale", None)
    need(setting in (None, scale), subject, f"has a network of scale {scale} when its settings say {setting}")


@check("architecture")
def any_size(subject: Subject) -> None:
    """A translator takes every size that its `multiple` allows, and looks no further than its `context` says."""
    architecture, networks = built(subject)
    condition = conditions(architecture, 1)
    for maker in makers(architecture, networks):
        if maker.generates:
            raise NotRun("it makes images of latents")
        network = maker.network.eval()
        stir(network)
        scale, context = int(getattr(network, "scale", 1)), getattr(network, "context", None)
        given = maker.given(1, extra=1)
        try:
            with torch.no_grad():
                made = maker.make(given, condition)
        except RuntimeError as error:
            words = str(error).splitlines()[0][:200]
            need(False, subject, f"fails at {tuple(given.shape[2:])} pixels ({words}); say which sides by multiple")
        need(
            tuple(made.shape[2:]) == tuple(side * scale for side in given.shape[2:]), subject, "has a scale that varies"
        )
        if context is not None and context <= FAR:
            _looks_no_further(subject, maker, int(context), scale, condition)


def _looks_no_further(subject: Subject, maker: Maker, context: int, scale: int, condition: list[Tensor]) -> None:
    multiple = int(getattr(maker.network, "multiple", 1))
    side = -(-(2 * context + 4 * multiple + 1) // multiple) * multiple
    low, high = maker.architecture.image_range
    channels = maker.given(1).shape[1]
    pictures = torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(0)) * (high - low) + low
    pictures.requires_grad_()
    place = side // 2
    made = maker.make(pictures, condition)
    (touched,) = torch.autograd.grad(made[0, :, place * scale, place * scale].sum(), [pictures])
    where = touched[0].abs().sum(0).nonzero()
    reach = int((where - place).abs().max()) if len(where) else 0
    said = (
        f"has a translator whose result depends on pixels {reach} away when its context is {context}; tiles would show"
    )
    need(reach <= context, subject, said)


@check("architecture")
def dtypes_and_devices(subject: Subject) -> None:
    """Networks compute in the dtype and on the device of their weights: double, bf16 by autocast, the meta device."""
    architecture, networks = built(subject)
    condition = conditions(architecture)
    places = ["meta", *(["cuda"] if torch.cuda.is_available() else [])]
    for maker in makers(architecture, networks):
        D = discriminator_of(architecture, networks) if maker.generates else None
        double = Maker(maker.name, copy.deepcopy(maker.network).double(), architecture)
        images = double.network(double.given().double(), *condition) if maker.trains_as_it_samples else None
        right = images is None or images.dtype == torch.float64
        need(right, subject, f"makes {getattr(images, 'dtype', '')} images of double weights; create tensors like x")
        with torch.autocast("cpu", torch.bfloat16):
            made = maker.make(maker.given(), condition)
            scored = total(D(made, *condition)) if D is not None else made.sum()
        need(torch.isfinite(scored), subject, "isn't finite in bf16; compute the delicate part in float32")
        for place in places:
            moved = Maker(maker.name, copy.deepcopy(maker.network).to(place), architecture)
            here = [c.to(place) for c in condition]
            try:
                made = moved.make(maker.given().to(place), here)
                if D is not None:
                    copy.deepcopy(D).to(place)(made, *here)
            except (RuntimeError, NotImplementedError) as error:
                words = str(error).splitlines()[0][:200]
                said = f"mixes devices ({words}); create tensors with device=x.device, state by register_buffer"
                need(False, subject, said)


@check("architecture")
def gradients(subject: Subject) -> None:
    """Every weight takes part: the generator's and the discriminator's in the score of a fake, a translator's in its
    images."""
    architecture, networks = built(subject)
    condition = conditions(architecture)
    for maker in makers(architecture, networks):
        if not maker.trains_as_it_samples:
            raise NotRun("it samples otherwise than it is trained; its recipes are checked instead")
        D = discriminator_of(architecture, networks) if maker.generates else None
        parts = {maker.name: maker.network} | ({"discriminator": D} if D is not None else {})
        stir(*parts.values())
        made = maker.network(maker.given(), *condition)
        if D is None and maker.generates and not made.requires_grad:
            raise NotRun("it is trained by something else than its images; its recipes are checked instead")
        score = _said(D, made, condition) if D is not None else (made * torch.randn_like(made)).sum()
        for name, network in parts.items():
            idle = _idle(score, network)
            said = f"has weights in its {name} that get no gradient ({idle[:3]}); is something detached?"
            need(not idle, subject, said)


def _said(D: nn.Module, images: Tensor, condition: list[Tensor]) -> Tensor:
    """All that a discriminator says of images, as one number."""
    outputs: Any = getattr(D, "outputs", None)
    said = vars(outputs(images, *condition)) if outputs else {"logits": D(images, *condition)}
    return torch.stack([total(said[name]) for name in sorted(said)]).sum()


def _idle(score: Tensor, network: nn.Module) -> list[str]:
    named = {name: p for name, p in network.named_parameters() if p.requires_grad}
    found: tuple[Tensor | None, ...] = (None,) * len(named)
    if score.requires_grad and named:
        found = torch.autograd.grad(score, list(named.values()), retain_graph=True, allow_unused=True)
    return [key for key, g in zip(named, found, strict=True) if g is None or (g.dim() > 1 and not g.any())]


@check("architecture")
def label_sensitivity(subject: Subject) -> None:
    """Where it is conditional, what is made and scored depends on the label, and on each condition by itself."""
    architecture, networks = built(subject)
    if not architecture.conditions:
        raise NotRun("it is unconditional")
    told = conditions(architecture)
    one, other = ([c[label : label + 1].expand(COUNT, *c.shape[1:]) for c in told] for label in (0, 1))
    for maker in makers(architecture, networks):
        D = discriminator_of(architecture, networks) if maker.generates else None
        stir(*(network.eval() for network in (maker.network, D) if network is not None))
        given = maker.given(COUNT)
        judge = None if "classes" in architecture.offers else D  # one that names the label itself isn't told
        for place, name in enumerate(architecture.conditions):
            changed = [*one[:place], other[place], *one[place + 1 :]]
            with torch.no_grad():
                made = [maker.make(given, condition) for condition in (one, changed)]
                scores = [total(judge(made[0], *condition)) for condition in (one, changed)] if judge else []
            apart = (made[0] - made[1]).abs().max() > 1e-6
            need(apart, subject, f"has a {maker.name} that ignores its {name}; embed it")
            differs = not scores or (scores[0] - scores[1]).abs() > 1e-7
            need(differs, subject, f"has a discriminator that ignores its {name}; embed it")


@check("architecture")
def determinism(subject: Subject) -> None:
    """The seed fixes the weights and the latents; a published network draws nothing by itself."""
    architecture, networks = built(subject)
    torch.manual_seed(0)
    again = {name: architecture.build(name) for name in architecture.networks}
    for name, network in networks.items():
        pairs = zip(network.state_dict().values(), again[name].state_dict().values(), strict=True)
        same = all(torch.equal(a, b) for a, b in pairs)
        said = f"builds {name!r} with other weights under the same seed; draw from torch's generator alone"
        need(same, subject, said)
    for maker in makers(architecture, networks):
        maker.network.eval()
        same = torch.equal(maker.given(2, seed=3), maker.given(2, seed=3))
        need(same, subject, "has latents that its generator= doesn't fix; pass it to every draw")
        state, given = torch.get_rng_state(), maker.given(seed=4)
        with torch.no_grad():
            made = [maker.make(given, conditions(architecture)) for _ in range(2)]
        quiet = torch.equal(state, torch.get_rng_state())
        said = (
            "draws random numbers in sample(); let all noise come from latent()"
            if maker.generates
            else "draws random numbers in eval(); a published translator has no noise of its own"
        )
        need(torch.equal(*made) and quiet, subject, said)


@check("architecture")
def per_sample(subject: Subject) -> None:
    """What says `per_sample` depends on no neighbour in the batch."""
    architecture, networks = built(subject)
    condition = conditions(architecture)
    for maker in makers(architecture, networks):
        given = maker.given()
        whole, first = _alone(maker.network.train(), given, condition) if maker.trains_as_it_samples else (None, None)
        alone = whole is None or torch.allclose(whole, first, atol=1e-4)  # type: ignore[arg-type]
        said = "mixes the images of a batch (batch norm?); say per_sample = False"
        need(alone or not architecture.per_sample, subject, said)
        D = discriminator_of(architecture, networks)
        if D is None or not maker.generates:
            continue
        with torch.no_grad():
            images = torch.randn_like(maker.make(given, condition))
        whole, first = _alone(D.train(), images, condition)
        if isinstance(whole, Tensor) and getattr(D, "per_sample", False):
            alone = torch.allclose(whole, first, atol=1e-4)
            need(alone, subject, "has a discriminator that mixes; say per_sample = False")


def _alone(network: nn.Module, given: Tensor, condition: list[Tensor]) -> tuple[Any, Any]:
    """What becomes of the first two of a batch, and of the two by themselves, under the same noise."""
    with torch.no_grad(), SameNoise():
        whole, first = network(given, *condition), network(given[:2], *(c[:2] for c in condition))
    return (whole[:2] if isinstance(whole, Tensor) else whole), first


@check("architecture")
def layout(subject: Subject) -> None:
    """What says `channels_last` runs in that layout, and gives the same."""
    architecture, networks = built(subject)
    if not architecture.channels_last:
        raise NotRun("it doesn't say channels_last = True")
    condition = conditions(architecture)
    for maker in makers(architecture, networks):
        given, D = maker.given(), discriminator_of(architecture, networks) if maker.generates else None
        maker.network.eval()
        with torch.no_grad():
            images = maker.make(given, condition)
            before = total(D.eval()(images, *condition)) if D is not None else images.sum()
            try:
                for network in networks.values():
                    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
                again = maker.make(_channels_last(given), condition)
                after = total(D(_channels_last(images), *condition)) if D is not None else again.sum()
            except RuntimeError as error:
                words = str(error).splitlines()[0][:200]
                need(False, subject, f"says channels_last and doesn't run so ({words}); use flatten, not view")
        same = torch.allclose(images, again, atol=1e-4) and torch.allclose(before, after, rtol=1e-3, atol=1e-3)
        need(same, subject, "gives other values in the layout channels_last; see what depends on strides")


def _channels_last(given: Tensor) -> Tensor:
    return given.contiguous(memory_format=torch.channels_last) if given.dim() == 4 else given
