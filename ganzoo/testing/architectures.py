"""The contract of an architecture: what its networks make, of what they depend, and that they survive being stored."""

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo import folder
from ganzoo.architecture import Architecture, Generator
from ganzoo.dataset import Spec
from ganzoo.model import Model
from ganzoo.testing.contract import NotRun, Subject, check, need, needs_settings

COUNT = 6


def built(subject: Subject) -> tuple[Architecture, dict[str, nn.Module]]:
    """The architecture at its smallest, and every network of it."""
    try:
        architecture = subject.target(subject.config())
    except ValueError as error:
        raise needs_settings(error) from None
    torch.manual_seed(0)
    return architecture, {name: architecture.build(name) for name in architecture.networks}


def conditions(architecture: Architecture, count: int = COUNT) -> list[Tensor]:
    """A value of each condition for `count` images."""
    classes = getattr(architecture.config, "classes", None) or 2
    unknown = [name for name in architecture.conditions if name != "label"]
    if unknown:
        raise NotRun(f"the kit makes labels only, and this architecture is conditioned on {', '.join(unknown)}")
    return [torch.arange(count) % classes for _ in architecture.conditions]


def generator_of(architecture: Architecture, networks: Mapping[str, nn.Module]) -> Generator:
    """The network that makes images from latents."""
    made = [net for net in networks.values() if isinstance(net, Generator)]
    if not made:
        raise NotRun("it has no network that makes images from latents")
    return made[0]


def discriminator_of(networks: Mapping[str, nn.Module]) -> nn.Module:
    if "discriminator" not in networks:
        raise NotRun("it has no network called discriminator")
    return networks["discriminator"]


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
    G, condition = generator_of(architecture, networks), conditions(architecture)
    latents = G.latent(COUNT)
    need(len(latents) == COUNT, subject, f"has latent({COUNT}) of {len(latents)} rows; draw one row an image")
    images = G.eval().sample(latents, *condition)
    size, channels = (getattr(architecture.config, name, None) for name in ("size", "channels"))
    need(
        images.dim() == 4 and len(images) == COUNT,
        subject,
        f"makes images of shape {tuple(images.shape)}; (N, C, H, W)",
    )
    for name, wanted, made in (("channels", channels, images.shape[1]), ("size", size, images.shape[2])):
        need(wanted in (None, made), subject, f"makes images whose {name} is {made} when its settings say {wanted}")
    low, high = architecture.image_range
    inside = low - 1e-4 <= images.min().item() <= images.max().item() <= high + 1e-4
    need(
        inside,
        subject,
        f"makes values from {images.min():.2f} to {images.max():.2f}; end with tanh, or say image_range",
    )
    logits = discriminator_of(networks)(images.detach(), *condition)
    rows = [len(scale) for scale in ([logits] if isinstance(logits, Tensor) else logits)]
    need(set(rows) == {COUNT}, subject, f"has logits of {rows} rows for {COUNT} images; keep the first dimension")


@check("architecture")
def dtypes_and_devices(subject: Subject) -> None:
    """Networks compute in the dtype and on the device of their weights: double, bf16 by autocast, the meta device."""
    architecture, networks = built(subject)
    G, condition = generator_of(architecture, networks), conditions(architecture)
    D = networks.get("discriminator")
    double = copy.deepcopy(G).double()
    images = double(double.latent(COUNT), *condition)
    need(
        images.dtype == torch.float64, subject, f"makes {images.dtype} images of double weights; create tensors like x"
    )
    with torch.autocast("cpu", torch.bfloat16):
        made = G(G.latent(COUNT), *condition)
        scored = total(D(made, *condition)) if D is not None else made.sum()
    need(torch.isfinite(scored), subject, "isn't finite in bf16; compute the delicate part in float32")
    places = ["meta", *(["cuda"] if torch.cuda.is_available() else [])]
    for place in places:
        moved = copy.deepcopy(G).to(place)
        try:
            made = moved(moved.latent(COUNT), *(c.to(place) for c in condition))
            if D is not None:
                copy.deepcopy(D).to(place)(made, *(c.to(place) for c in condition))
        except (RuntimeError, NotImplementedError) as error:
            words = str(error).splitlines()[0][:200]
            need(
                False,
                subject,
                f"mixes devices ({words}); create tensors with device=x.device, state by register_buffer",
            )


@check("architecture")
def gradients(subject: Subject) -> None:
    """Every weight of the generator and the discriminator takes part in the score of a fake."""
    architecture, networks = built(subject)
    G, D, condition = generator_of(architecture, networks), discriminator_of(networks), conditions(architecture)
    _stir(G, D)
    score = total(D(G(G.latent(COUNT), *condition), *condition))
    for network, name in ((G, "generator"), (D, "discriminator")):
        named = dict(network.named_parameters())
        if not score.requires_grad:
            found: tuple[Tensor | None, ...] = (None,) * len(named)
        else:
            found = torch.autograd.grad(score, list(named.values()), retain_graph=True, allow_unused=True)
        idle = [key for key, g in zip(named, found, strict=True) if g is None or (g.dim() > 1 and not g.any())]
        need(not idle, subject, f"has weights in its {name} that get no gradient ({idle[:3]}); is something detached?")


def _stir(*networks: nn.Module) -> None:
    """Move the weights, as if they had learned: embeddings and last layers often begin at zero."""
    with torch.no_grad():
        for network in networks:
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)


@check("architecture")
def label_sensitivity(subject: Subject) -> None:
    """Where it is conditional, what is made and scored depends on the label."""
    architecture, networks = built(subject)
    if not architecture.conditions:
        raise NotRun("it is unconditional")
    G, D = generator_of(architecture, networks).eval(), discriminator_of(networks).eval()
    _stir(G, D)
    latents = G.latent(2)
    one, other = (torch.full((2,), label) for label in (0, 1))
    with torch.no_grad():
        made = [G.sample(latents, *[label] * len(architecture.conditions)) for label in (one, other)]
        scores = [D(made[0], *[label] * len(architecture.conditions)) for label in (one, other)]
    need((made[0] - made[1]).abs().max() > 1e-6, subject, "has a generator that ignores its label; embed it")
    need(
        (total(scores[0]) - total(scores[1])).abs() > 1e-7,
        subject,
        "has a discriminator that ignores its label; embed it",
    )


@check("architecture")
def determinism(subject: Subject) -> None:
    """The seed fixes the weights and the latents; a published network draws nothing by itself."""
    architecture, networks = built(subject)
    torch.manual_seed(0)
    again = {name: architecture.build(name) for name in architecture.networks}
    for name, network in networks.items():
        pairs = zip(network.state_dict().values(), again[name].state_dict().values(), strict=True)
        same = all(torch.equal(a, b) for a, b in pairs)
        need(
            same, subject, f"builds {name!r} with other weights under the same seed; draw from torch's generator alone"
        )
    G, condition = generator_of(architecture, networks).eval(), conditions(architecture)
    draws = [G.latent(2, generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    need(torch.equal(*draws), subject, "has latents that its generator= doesn't fix; pass it to every draw")
    state, latents = torch.get_rng_state(), G.latent(COUNT, generator=torch.Generator().manual_seed(4))
    made = [G.sample(latents, *condition) for _ in range(2)]
    quiet = torch.equal(state, torch.get_rng_state())
    need(torch.equal(*made) and quiet, subject, "draws random numbers in sample(); let all noise come from latent()")


@check("architecture")
def per_sample(subject: Subject) -> None:
    """What says `per_sample` depends on no neighbour in the batch."""
    architecture, networks = built(subject)
    G, condition = generator_of(architecture, networks).train(), conditions(architecture)
    latents = G.latent(COUNT)
    torch.manual_seed(1)
    whole = G(latents, *condition)
    torch.manual_seed(1)
    first = G(latents[:2], *(c[:2] for c in condition))
    alone = torch.allclose(whole[:2], first, atol=1e-4)
    need(
        alone or not architecture.per_sample,
        subject,
        "mixes the images of a batch (batch norm?); say per_sample = False",
    )
    D = discriminator_of(networks).train()
    images = torch.randn(whole.shape)
    whole, first = D(images, *condition), D(images[:2], *(c[:2] for c in condition))
    if isinstance(whole, Tensor) and getattr(D, "per_sample", False):
        need(
            torch.allclose(whole[:2], first, atol=1e-4),
            subject,
            "has a discriminator that mixes; say per_sample = False",
        )


@check("architecture")
def layout(subject: Subject) -> None:
    """What says `channels_last` runs in that layout, and gives the same."""
    architecture, networks = built(subject)
    if not architecture.channels_last:
        raise NotRun("it doesn't say channels_last = True")
    G, D = generator_of(architecture, networks).eval(), discriminator_of(networks).eval()
    condition = conditions(architecture)
    latents = G.latent(COUNT)
    images = G(latents, *condition).detach()
    before = D(images, *condition)
    for network in (G, D):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        again = G(latents, *condition)
        after = D(images.contiguous(memory_format=torch.channels_last), *condition)
    except RuntimeError as error:
        words = str(error).splitlines()[0][:200]
        need(False, subject, f"says channels_last and doesn't run so ({words}); use flatten or reshape, not view")
    same = torch.allclose(images, again, atol=1e-4) and torch.allclose(total(before), total(after), atol=1e-3)
    need(same, subject, "gives other values in the layout channels_last; see what depends on strides")


@check("architecture")
def state(subject: Subject) -> None:
    """A network's state_dict holds all that its images depend on."""
    architecture, networks = built(subject)
    G, condition = generator_of(architecture, networks), conditions(architecture)
    _stir(G)
    G(G.latent(COUNT), *condition)  # statistics move
    torch.manual_seed(5)
    twin = architecture.build(next(name for name, network in networks.items() if network is G))
    twin.load_state_dict(G.state_dict())
    latents = G.latent(COUNT)
    same = torch.equal(G.eval().sample(latents, *condition), twin.eval().sample(latents, *condition))  # type: ignore[operator]
    need(same, subject, "makes other images after a round trip of its state_dict; hold state in parameters or buffers")


def _model(subject: Subject) -> Model:
    architecture, networks = built(subject)
    G, config = generator_of(architecture, networks), architecture.config
    conditions(architecture)
    facts = {name: getattr(config, name) for name in ("size", "channels", "scale") if hasattr(config, name)}
    labels = tuple(f"class {i}" for i in range(getattr(config, "classes", 0)))
    about = {
        "schema": 1,
        "name": "contract",
        "task": "generate",
        "dtype": "float32",
        "networks": list(architecture.published),
        "spec": Spec(name="contract", count=1, labels=labels, licence="CC0-1.0", **facts).model_dump(mode="json"),
        "recipe": {
            "architecture": {"name": subject.name, **config.record()},
            "data": {"conditions": list(architecture.conditions)},
        },
    }
    G(G.latent(COUNT), *conditions(architecture))
    published = {name: networks[name] for name in architecture.published}
    return Model(folder.ModelConfig.read(about), published, architecture.image_range)


@check("architecture")
def model_folder(subject: Subject) -> None:
    """A model of it is written, read back and gives the same images, whatever the batch size."""
    model = _model(subject)
    with tempfile.TemporaryDirectory() as place:
        model.save(Path(place) / "model")
        again = Model.read(Path(place) / "model", device="cpu")
    images = model.sample(4, seed=1)
    need(
        torch.equal(images, again.sample(4, seed=1)),
        subject,
        "gives other images after a model folder; see its buffers",
    )
    apart = torch.allclose(images, model.sample(4, seed=1, batch_size=3), atol=1e-5)
    need(apart, subject, "makes image i depend on the batch size; in eval() an image must be alone")


@check("architecture")
def torch_export(subject: Subject) -> None:
    """torch.export takes the published generator, for any number of images, and gives the same."""
    _parity(_model(subject), subject, onnx=False)


@check("architecture")
def onnx(subject: Subject) -> None:
    """ONNX takes the published generator, for any number of images, and onnxruntime gives the same."""
    from ganzoo.portable import missing_for_onnx

    if missing_for_onnx():
        raise NotRun(f"{', '.join(missing_for_onnx())} isn't installed; pip install 'torch-ganzoo[onnx]'")
    _parity(_model(subject), subject, onnx=True)


def _parity(model: Model, subject: Subject, onnx: bool) -> None:
    from ganzoo import portable

    sampler = portable.Sampler(model.network, model.image_range).eval()
    latents = model.latents(0, 0, 5)
    given = [torch.arange(5) % len(model.labels) for _ in model.conditions]
    way = "onnx" if onnx else "torch.export"
    try:
        content = portable.program_of(sampler, latents[:2], *(c[:2] for c in given), onnx=onnx)
        made = (portable.run_onnx if onnx else portable.run_torch)(content, [latents, *given])
    except Exception as error:
        words = str(error).strip().splitlines()[0][:200]
        need(
            False, subject, f"can't be exported by {way} ({words}); no branch in forward may depend on a tensor's value"
        )
    difference = (made - sampler(latents, *given)).abs().max().item()
    need(difference < portable.TOLERANCE, subject, f"gives other images by {way}, by {difference:.2g}; see its forward")
