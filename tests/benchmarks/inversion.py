"""Six letters of a font in, the other thirty characters out: `glyphs` inverted on fonts that it was not trained on.

`python -m tests.benchmarks.inversion` prints what docs/tutorial.md says of it, and draws docs/completed.png: for each
font a row of its own characters and, below it, what was made of the six at the left.
"""

from pathlib import Path

import torch
from torch import Tensor

import ganzoo
from ganzoo import Model
from ganzoo.images import grid
from ganzoo.registry import registry

GIVEN = "AEGRS2"
EVERY = 4  # of the held-out fonts that are measured
SHOWN = (0, 3, 7, 10, 15, 19)  # of those measured
PICTURE = Path(__file__).parents[2] / "docs" / "completed.png"


def fonts(split: str) -> tuple[Tensor, tuple[str, ...]]:
    """Characters of each font, (fonts, 36, 1, 32, 32) in [0, 1], and the fonts' names."""
    Glyphs = registry().get("dataset", "glyphs")
    data = Glyphs(Glyphs.Config(split=split))
    return data.data["image"].view(-1, 36, 1, 32, 32).float() / 255, data.fonts


def alphabet(model: Model, latent: Tensor) -> Tensor:
    return model.sample(36, latents=latent.expand(36, -1), label=model.labels)


def main() -> None:
    torch.set_num_threads(1)
    glyphs = ganzoo.load("glyphs", device="cpu")
    given = [glyphs.labels.index(letter) for letter in GIVEN]
    others = [i for i in range(36) if i not in given]
    (held_out, names), (trained, _) = fonts("test"), fonts("train")
    errors: dict[str, list[float]] = {"completed": [], "a latent at random": [], "the most alike training font": []}
    rows = []
    for place, i in enumerate(range(0, len(held_out), EVERY)):
        font = held_out[i]
        latent = glyphs.invert(font[given], label=list(GIVEN), shared=True)
        completed = alphabet(glyphs, latent)
        at_random = alphabet(glyphs, glyphs.latents(i, 0, 1))
        alike = trained[(trained[:, given] - font[given]).square().flatten(1).mean(1).argmin()]
        for name, made in zip(errors, (completed, at_random, alike), strict=True):
            errors[name].append((made - font)[others].square().mean().item())
        print(f"{names[i]}: " + ", ".join(f"{values[-1]:.3f}" for values in errors.values()), flush=True)
        if place in SHOWN:
            gap = torch.ones(1, 1, 32, 32)
            rows += [torch.cat([some[given], gap, some[others]]) for some in (font, completed)]
    count = len(errors["completed"])
    print(f"mean squared error of the {len(others)} characters that weren't given, {count} held-out fonts:")
    for name, values in errors.items():
        print(f"  {name}: {sum(values) / count:.3f}")
    grid(torch.cat(rows), columns=37).convert("L").quantize(16).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
