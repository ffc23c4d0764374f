"""A published network as a file for other programs (torch.export, ONNX), compared with the network on the spot."""

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import GanzooError
from ganzoo.model import Model

FORMATS = {"onnx": ".onnx", "torch-export": ".pt2"}
TOLERANCE = 1e-4  # of images in [0, 1]


class Sampler(nn.Module):
    """Latents and conditions to images (N, C, H, W) in [0, 1]: what `Model.sample` does after the draw."""

    def __init__(self, network: nn.Module, image_range: tuple[float, float]):
        super().__init__()
        self.network = network
        self.low, self.high = image_range

    def forward(self, latents: Tensor, *conditions: Tensor) -> Tensor:
        images: Tensor = self.network.sample(latents, *conditions)  # type: ignore[operator]
        return ((images.float() - self.low) / (self.high - self.low)).clamp(0, 1)


def export(model: Model, path: Path, format: str) -> float:
    """Write a model's sampler for any count of images. Returns the largest difference from the model, over 7 images.

    Raises GanzooError for a model or format that can't be, or a file that gives other images.
    """
    if format not in FORMATS:
        raise GanzooError(f"there is no format {format!r}; there are: {', '.join(FORMATS)}")
    if model.task != "generate":
        raise GanzooError(f"model {model.name!r} transforms images, and only models that generate can be exported yet")
    if not getattr(model.network, "portable", True):
        raise GanzooError(
            f"model {model.name!r} makes its images in a loop that no such file can hold; use ganzoo itself"
        )
    model = model.to("cpu", torch.float32)
    sampler = Sampler(model.network, model.image_range).eval()
    latents = model.latents(0, 0, 7)
    labels = [torch.arange(7) % max(1, len(model.labels)) for _ in model.conditions]
    names = ["latents", *model.conditions]
    content = program_of(sampler, latents[:2], *(c[:2] for c in labels), onnx=format == "onnx", names=names)
    run = run_onnx if format == "onnx" else run_torch
    difference = (
        (run(content, [latents, *labels]) - model.sample(7, seed=0, **_given(model, labels))).abs().max().item()
    )
    if not difference <= TOLERANCE:
        raise GanzooError(f"the exported {model.name!r} gives other images (by {difference:.2g}); nothing was written")
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise GanzooError(f"{str(path)!r} can't be written: {error.strerror or error}") from None
    return difference


def _given(model: Model, labels: Sequence[Tensor]) -> dict[str, Any]:
    return dict(zip(model.conditions, labels, strict=True))


def program_of(sampler: nn.Module, *example: Tensor, onnx: bool, names: Sequence[str] | None = None) -> bytes:
    """The file's bytes, for any number of images; `example` are the inputs for two."""
    batch = torch.export.Dim("count", min=1, max=2**20)
    shapes = ({0: batch}, *([tuple({0: batch} for _ in example[1:])] if len(example) > 1 else []))
    with _quiet():
        program = torch.export.export(sampler, example, dynamic_shapes=shapes)
        buffer = io.BytesIO()
        if not onnx:
            torch.export.save(program, buffer)
            return buffer.getvalue()
        _need("onnx", "onnxscript")
        made = torch.onnx.export(
            program, (), dynamo=True, input_names=names, output_names=["images"], external_data=False, verbose=False
        )
        content: bytes = made.model_proto.SerializeToString()  # type: ignore[union-attr]
        return content


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
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("w") as sink, contextlib.redirect_stdout(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
