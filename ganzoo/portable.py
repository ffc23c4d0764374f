"""A published network as a file for other programs (torch.export, ONNX), compared with the network on the spot."""

import contextlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.captions import encode
from ganzoo.errors import GanzooError
from ganzoo.model import Model
from ganzoo.text import plain
from ganzoo.tiling import least

FORMATS = {"onnx": ".onnx", "torch-export": ".pt2"}
TOLERANCE = 1e-4  # of images in [0, 1]


class Portable(nn.Module):
    """A published network as other programs meet it: images are (N, C, H, W) in [0, 1], whatever it uses inside.

    `names` are its inputs: latents or images, then the conditions. A subclass knows the rest.
    """

    first: str
    caption_length = 1

    def __init__(self, network: nn.Module, image_range: tuple[float, float], conditions: Sequence[str], classes: int):
        super().__init__()
        self.network = network.eval()
        self.low, self.high = image_range
        self.conditions, self.classes = tuple(conditions), classes

    @property
    def names(self) -> tuple[str, ...]:
        return (self.first, *self.conditions)

    def inputs(self, count: int, seed: int = 0) -> tuple[Tensor, ...]:
        """What to feed it for `count` images; another count gives pictures of another size, where size is free."""
        given = self._given(count, torch.Generator().manual_seed(seed))
        captions = encode([f"number {i}" for i in range(count)], self.caption_length)
        labels = torch.arange(count) % max(1, self.classes)
        return (given, *(captions if name == "caption" else labels for name in self.conditions))

    def dynamic(self) -> tuple[Any, ...]:
        """Which dimensions of its inputs are free."""
        count = torch.export.Dim("count", min=1, max=2**20)
        given = {0: count, **self._free()}
        return (given, *([tuple({0: count} for _ in self.conditions)] if self.conditions else []))

    def _given(self, count: int, generator: torch.Generator) -> Tensor:
        raise NotImplementedError

    def _free(self) -> dict[int, Any]:
        return {}

    def _unit(self, images: Tensor) -> Tensor:
        return ((images.float() - self.low) / (self.high - self.low)).clamp(0, 1)


class Sampler(Portable):
    """Latents and conditions to images: what `Model.sample` does after the draw."""

    first = "latents"

    def forward(self, latents: Tensor, *conditions: Tensor) -> Tensor:
        return self._unit(self.network.sample(latents, *conditions))  # type: ignore[operator]

    def _given(self, count: int, generator: torch.Generator) -> Tensor:
        latents: Tensor = self.network.latent(count, generator=generator)  # type: ignore[operator]
        return latents


class Transformer(Portable):
    """Images, and conditions, to images of any height and width that the network's `multiple` allows."""

    first = "images"

    def __init__(
        self,
        network: nn.Module,
        image_range: tuple[float, float],
        conditions: Sequence[str],
        classes: int,
        channels: int = 3,
    ):
        super().__init__(network, image_range, conditions, classes)
        self.channels = channels
        self.multiple = int(getattr(network, "multiple", 1))
        self.least = least(network) // self.multiple  # in multiples

    def forward(self, images: Tensor, *conditions: Tensor) -> Tensor:
        return self._unit(self.network(images * (self.high - self.low) + self.low, *conditions))

    def _given(self, count: int, generator: torch.Generator) -> Tensor:
        height, width = ((self.least + more) * self.multiple for more in (count, 2 * count))
        return torch.rand(count, self.channels, height, width, generator=generator)

    def _free(self) -> dict[int, Any]:
        sides = [torch.export.Dim(f"{name}s", min=self.least, max=2**16) for name in ("row", "column")]
        return {2 + i: side if self.multiple == 1 else self.multiple * side for i, side in enumerate(sides)}


def portable(model: Model, network: str | None = None) -> Portable:
    """The network of a model that this name is (the only one when left out). Raises GanzooError."""
    names = ", ".join(model.networks)
    if network is None and len(model.networks) > 1:
        raise GanzooError(f"model {model.name!r} has several networks; name one of {names} with --network")
    if network is not None and network not in model.networks:
        raise GanzooError(f"model {model.name!r} has no network {network!r}; it has {names}")
    chosen = model.networks[network] if network else model.network
    about = chosen, model.image_range, model.conditions, len(model.labels)
    made = Sampler(*about) if model.task == "generate" else Transformer(*about, channels=model.takes(chosen))
    made.caption_length = model.spec.caption_length or 1
    return made


def format_of(path: Path, format: str | None = None) -> str:
    """The format of a file by its name's end, unless said otherwise. Raises GanzooError."""
    known = ", ".join(f"{name} ({suffix})" for name, suffix in FORMATS.items())
    if format is not None and format not in FORMATS:
        raise GanzooError(f"there is no format {format!r}; there are: {known}")
    meant = next((name for name, suffix in FORMATS.items() if path.suffix.lower() == suffix), format)
    if meant is None:
        raise GanzooError(f"{str(path)!r} doesn't say its format by how its name ends; there are: {known}")
    if format is not None and meant != format:
        raise GanzooError(f"{str(path)!r} is the name of a file in the format {meant}, not {format}; change either")
    return meant


def export(model: Model, path: Path, format: str | None = None, network: str | None = None) -> float:
    """Write a model's network for any count of images, and any size where it takes any, in the format of the name.

    Returns the largest difference from the model, over other inputs than it was written with. Raises GanzooError for
    a model or format that can't be, or a file that gives other images.
    """
    format = format_of(path, format)
    model = model.to("cpu", torch.float32)
    module = portable(model, network)
    if not getattr(module.network, "portable", True):
        raise GanzooError(
            f"model {model.name!r} makes its images in a loop that no such file can hold; use ganzoo itself"
        )
    try:
        content = program_of(module, onnx=format == "onnx", about=metadata(model))
    except GanzooError:
        raise
    except Exception as error:  # an exporter may fail in any way
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise GanzooError(
            f"model {model.name!r} can't be written as {format} ({words}); try the other format"
        ) from None
    difference = parity(module, content, onnx=format == "onnx")
    if not difference <= TOLERANCE:
        raise GanzooError(f"the exported {model.name!r} gives other images (by {difference:.2g}); nothing was written")
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise GanzooError(f"{str(path)!r} can't be written: {error.strerror or error}") from None
    return difference


def metadata(model: Model) -> dict[str, str]:
    """What an ONNX file says of its model: lists and numbers as JSON, and nothing of what isn't known."""
    spec = model.spec
    known = {
        "name": model.name,
        "task": model.task,
        "licence": model.config.licence,
        "data": spec.name,
        "data_licence": spec.licence,
        "attribution": spec.attribution,
        "labels": list(model.labels),
        "caption_length": spec.caption_length if "caption" in model.conditions else None,
        "channels": model.channels,
        "size": model.size,
        "scale": model.scale,
        "image_range": [0, 1],
    }
    return {
        key: plain(value, 5000) if isinstance(value, str) else json.dumps(value)
        for key, value in known.items()
        if value
    }


def program_of(module: Portable, *, onnx: bool, about: Mapping[str, str] | None = None) -> bytes:
    """The file's bytes, for any number of images; an ONNX file has what is said `about` the model as metadata."""
    example = module.inputs(2)
    with _quiet():
        program = torch.export.export(module, example, dynamic_shapes=module.dynamic())
        buffer = io.BytesIO()
        if not onnx:
            torch.export.save(program, buffer)
            return buffer.getvalue()
        _need("onnx", "onnxscript")
        made = torch.onnx.export(
            program,
            (),
            dynamo=True,
            input_names=module.names,
            output_names=["images"] if module.first != "images" else ["result"],
            external_data=False,
            verbose=False,
        )
        proto = made.model_proto  # type: ignore[union-attr]
        for key, value in (about or {}).items():
            proto.metadata_props.add(key=key, value=value)
        content: bytes = proto.SerializeToString()
        return content


@torch.inference_mode()
def parity(module: Portable, content: bytes, *, onnx: bool) -> float:
    """The largest difference between the images of a file and those of its module, for other counts and sizes."""
    run, worst = run_onnx if onnx else run_torch, 0.0
    for count in (1, 5):
        given = module.inputs(count, seed=count)
        made, wanted = run(content, given), module(*given)
        if made.shape != wanted.shape:
            return float("inf")
        worst = max(worst, (made - wanted).abs().max().item())
    return worst


def run_torch(content: bytes, inputs: Sequence[Tensor]) -> Tensor:
    """Images from a torch.export file."""
    with _quiet(), torch.inference_mode():
        images: Tensor = torch.export.load(io.BytesIO(content)).module()(*inputs)
    return images


def run_onnx(content: bytes, inputs: Sequence[Tensor]) -> Tensor:
    """Images from an ONNX file, by onnxruntime on the CPU."""
    _need("onnxruntime")
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    given = {i.name: tensor.numpy() for i, tensor in zip(session.get_inputs(), inputs, strict=True)}
    return torch.from_numpy(session.run(None, given)[0])


def missing_for_onnx() -> list[str]:
    """The packages that writing and checking an ONNX file lacks here."""
    from importlib.util import find_spec

    return [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]


def _need(*packages: str) -> None:
    lacking = [name for name in missing_for_onnx() if name in packages]
    if lacking:
        raise GanzooError(
            f"an ONNX file needs {', '.join(lacking)}, which isn't installed; pip install 'torch-ganzoo[onnx]'"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporters print progress and warn of their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("w") as sink, contextlib.redirect_stdout(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
