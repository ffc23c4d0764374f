"""Sampling and transforming by a loaded model, against the bare network on the same input, and against onnxruntime."""

import time
from typing import Any

import torch

import ganzoo
from tests.benchmarks.pairs import Ratio, compare

COUNT = 1_000
PAIRS = 31
SIDE, PHOTO_PAIRS = 512, 9  # pixels of the picture that is enlarged, which takes seconds


def measure() -> dict[str, Any]:
    """Ratios of CPU time of one thread: 1,000 digits of `cgan-mnist` in batches of 100, one photograph x4."""
    torch.set_num_threads(1)
    model = ganzoo.load("cgan-mnist", device="cpu")
    latents, labels = model.latents(0, 0, COUNT), torch.arange(COUNT) % 10
    found: dict[str, Any] = {"count": COUNT}

    def ours() -> None:
        model.sample(COUNT, latents=latents, label=labels)

    def seeded() -> None:
        model.sample(COUNT, seed=0)

    @torch.inference_mode()
    def bare() -> None:
        made = [model.network(z, c) for z, c in zip(latents.split(100), labels.split(100), strict=True)]
        torch.cat([images.add(1).div_(2).clamp_(0, 1) for images in made])

    short = ganzoo.load("cgan-mnist", device="cpu", dtype=torch.bfloat16)

    def in_bf16() -> None:
        short.sample(COUNT, seed=0)

    works = {"sample, latents given": ours, "sample, from a seed": seeded, "sample, from a seed, in bf16": in_bf16}
    for name, work in works.items():
        found[name] = _row(compare(work, bare, steps=1, pairs=PAIRS))
    try:
        found["onnxruntime, exported file"] = _onnx(model, latents, labels, bare)
    except Exception as error:
        found["onnx"] = f"not run: {type(error).__name__}: {str(error).splitlines()[0]}"
    found |= {"transform": _transform(None), "transform in bf16": _transform(torch.bfloat16)}
    return found | {"digits": _digits(model)}


def _transform(dtype: torch.dtype | None) -> dict[str, Any]:
    """`srresnet-photos-x4` on a tensor, and its bare float32 network on the same tensor."""
    model, exact = (ganzoo.load("srresnet-photos-x4", device="cpu", dtype=kind) for kind in (dtype, None))
    images = torch.rand(1, 3, SIDE, SIDE)
    low, high = model.image_range

    @torch.inference_mode()
    def bare() -> torch.Tensor:
        made: torch.Tensor = exact.network(images * (high - low) + low)
        return made.sub_(low).div_(high - low).clamp_(0, 1)

    off = (model.transform(images) - bare()).abs().mean().item()
    row = _row(compare(lambda: model.transform(images), bare, steps=1, pairs=PHOTO_PAIRS))
    return row | {"side": SIDE, "pairs": PHOTO_PAIRS, "off": off}


def _digits(model: Any) -> dict[str, float]:
    """Wall seconds of 10,000 digits with two threads."""
    torch.set_num_threads(2)
    began = time.perf_counter()
    model.sample(10_000, seed=0)
    spent = time.perf_counter() - began
    torch.set_num_threads(1)
    return {"count": 10_000, "threads": 2, "seconds": spent}


def _onnx(model: Any, latents: torch.Tensor, labels: torch.Tensor, bare: Any) -> dict[str, float]:
    import onnxruntime

    from ganzoo import portable

    content = portable.program_of(portable.portable(model), onnx=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    batches = [(z.numpy(), c.numpy()) for z, c in zip(latents.split(100), labels.split(100), strict=True)]

    def exported() -> None:
        for batch in batches:
            session.run(None, dict(zip(names, batch, strict=True)))

    return _row(compare(exported, bare, steps=1, pairs=PAIRS))


def _row(found: Ratio) -> dict[str, float]:
    return {
        "ratio": found.median,
        "low": found.low,
        "high": found.high,
        "seconds": found.first,
        "bare": found.second,
    }
