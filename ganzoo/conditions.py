"""What a person gives a model (a label, a caption, a truncation, latents, pictures), checked, as tensors."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganzoo.captions import encode
from ganzoo.errors import ModelError
from ganzoo.settings import as_int

if TYPE_CHECKING:
    from ganzoo.model import Model


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number that a person gave, also as numpy's or torch's. Raises ModelError."""
    number = as_int(value)
    if number is None or not least <= number <= most:
        raise ModelError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    return number


def check_latents(model: "Model", count: int, latents: Any) -> None:
    """Refuse latents that the network can't take. Raises ModelError."""
    wanted = (count, *model.latents(0, 0, 1).shape[1:])
    if not isinstance(latents, Tensor) or not latents.is_floating_point():
        given = latents.dtype if isinstance(latents, Tensor) else type(latents).__name__
        raise ModelError(f"latents must be a tensor of floats, not {given}")
    if latents.shape != wanted:
        raise ModelError(
            f"latents of shape {tuple(latents.shape)} were given for {count} images; they must have shape {wanted}"
        )
    if not latents.isfinite().all():
        raise ModelError("latents must be finite, and some of these are NaN or infinite")


def pictures_of(model: "Model", images: Any, channels: int) -> Tensor:
    """Images to transform, (N, channels, H, W), as float32 in [0, 1]. Raises ModelError."""
    if not isinstance(images, Tensor):
        kind = type(images).__name__
        raise ModelError(
            f"transform takes a PIL picture, an array or a tensor of images, not {kind}; Image.open(path) gives one"
        )
    if images.dim() != 4 or images.shape[1] != channels or not images.numel():
        shape = tuple(images.shape)
        raise ModelError(f"images of shape {shape} were given; model {model.name!r} takes (N, {channels}, H, W)")
    if images.dtype == torch.uint8:
        return images.float() / 255
    if not images.is_floating_point():
        raise ModelError(f"images must be float in [0, 1] or uint8, not {images.dtype}")
    given: Tensor = images.float()
    low, high = given.min().item(), given.max().item()
    if not (low >= -0.01 and high <= 1.01):  # nor NaN
        raise ModelError(f"images must be float in [0, 1] or uint8, and these are floats from {low:g} to {high:g}")
    return given


def options_of(model: "Model", given: Mapping[str, Any]) -> dict[str, float]:
    """The options of `sample` among its arguments. Raises ModelError."""
    chosen = {}
    for name, (low, high) in model.options.items():
        if name in given:
            value = given[name]
            if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
                raise ModelError(f"{name} must be a number from {low} to {high}, not {value!r}")
            chosen[name] = float(value)
    return chosen


def conditions_of(model: "Model", count: int, given: Mapping[str, Any]) -> list[Tensor]:
    """A tensor for each condition of a model, from what a person gave. Raises ModelError."""
    for name in given:
        if name not in model.conditions:
            known = ", ".join([*model.conditions, *model.options])
            takes = f"it takes {known}" if known else "it is unconditional"
            raise ModelError(f"model {model.name!r} has no condition {name!r}; {takes}")
    made = {"label": _labels, "caption": _captions}
    unknown = [name for name in model.conditions if name not in made]
    if unknown:
        raise ModelError(f"model {model.name!r} is conditioned on {', '.join(unknown)}, which sample() can't make")
    return [made[name](model, count, given.get(name)) for name in model.conditions]


def _captions(model: "Model", count: int, given: Any) -> Tensor:
    alone = given is None or isinstance(given, str)
    texts = [given or ""] * count if alone else list(given) if isinstance(given, Iterable) else []
    if len(texts) != count or not all(isinstance(text, str) for text in texts):
        raise ModelError(f"caption must be a text, or {count} of them, one an image")
    return encode(texts, model.spec.caption_length or 1)


def _labels(model: "Model", count: int, given: Any) -> Tensor:
    if given is None:
        return torch.arange(count, device="cpu") % len(model.labels)
    if hasattr(given, "tolist"):  # a tensor, or numpy's
        given = given.tolist()
    if isinstance(given, str | int | bool) or not isinstance(given, Sequence):
        return torch.full((count,), _label(model, given), device="cpu")
    if len(given) != count:
        raise ModelError(f"{len(given)} labels were given for {count} images; give one, or one an image")
    return torch.tensor([_label(model, label) for label in given], device="cpu")


def _label(model: "Model", label: Any) -> int:
    if isinstance(label, str) and label in model.labels:
        return model.labels.index(label)
    number = as_int(label)
    if number is not None and 0 <= number < len(model.labels):
        return number
    shown = ", ".join(model.labels[:12]) + (", ..." if len(model.labels) > 12 else "")
    raise ModelError(f"model {model.name!r} has no label {label!r}; its {len(model.labels)} labels are {shown}")
