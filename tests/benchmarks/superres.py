"""Super-resolution on the held-out photographs, and its speed: `python -m tests.benchmarks.superres [NAME=FOLDER]...`.

FOLDER holds another upscaler's x4 results, named as the photographs are: what proves a perceptual instrument.
"""

import sys

import torch
from PIL import Image, ImageFilter

import ganzoo
from ganzoo.evaluation import transformed
from ganzoo.evaluation.folders import Folder
from ganzoo.images import to_pil
from tests.benchmarks.pairs import fastest

METRICS = "psnr,channel=Y,border=4", "ssim,channel=Y,border=4", "patch-kernel-distance", "spectrum-distance"
MODELS = "srresnet-photos-x4", "srgan-photos-x4"


def blurred(image):
    (one,) = image
    soft = to_pil(one).filter(ImageFilter.GaussianBlur(2))
    return (
        torch.frombuffer(bytearray(soft.tobytes()), dtype=torch.uint8).view(1, *one.shape[1:], 3).permute(0, 3, 1, 2)
        / 255
    )


def quality(folders):
    models = [ganzoo.load(name, device="cpu") for name in MODELS]
    held = transformed.held_out(models[0], 8)
    bicubic = transformed.enlarged(held.sources, 4)
    sets = {"blur": transformed.Made("blur", bicubic, blurred), "bicubic": bicubic}
    sets |= {model.name: transformed.transformed(model, held.sources) for model in models}
    for name, folder in folders:
        sets[name] = transformed.Photographs(name, list(Folder(folder).each()))
    for name, pictures in sets.items():
        report = transformed.measured(pictures, held, METRICS, "effnet-lite0")
        print(
            f"{name:20}", "  ".join(f"{metric.split(',')[0]} {found}" for metric, found in report.measurements.items())
        )


def speed():
    model = ganzoo.load(MODELS[0], device="cpu")
    images = torch.rand(1, 3, 512, 512)
    photo = to_pil(images[0])
    with torch.inference_mode():
        bare = fastest(lambda: model.network(images))
    works = {
        "tensor": lambda: model.transform(images),
        "PIL": lambda: model.transform(photo),
        "tensor, tiles of 256": lambda: model.transform(images, tile=256),
    }
    print(f"512x512 x4, CPU seconds of {torch.get_num_threads()} threads: bare network {bare:.2f}")
    for name, work in works.items():
        print(f"  transform of a {name}: {fastest(work) / bare:.3f} of that")


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    speed()
    quality([argument.split("=", 1) for argument in sys.argv[1:]])
