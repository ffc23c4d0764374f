"""A trained network with its recipe, ready to use."""

import contextlib
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ganzoo import card, photos, tiling
from ganzoo import folder as model_folder
from ganzoo.architecture import latents_of
from ganzoo.conditions import check_latents, conditions_of, options_of, pictures_of, whole
from ganzoo.dataset import Spec
from ganzoo.devices import device_of
from ganzoo.errors import GanzooError, ModelError
from ganzoo.folder import ModelConfig, ModelFiles
from ganzoo.images import grid, png
from ganzoo.inversion import invert
from ganzoo.memory import kept_for_now, room_for
from ganzoo.places import portable
from ganzoo.precision import say_if_slow
from ganzoo.resolve import built
from ganzoo.settings import mistakes
from ganzoo.text import directions, plain

MOST = 10_000_000  # images of one call
MANY = 2**18  # pixels left to make from which memory is held: giving it back takes milliseconds
Pictures = TypeVar("Pictures", Image.Image, np.ndarray, Tensor)


def another_task(task: str, networks: Mapping[str, nn.Module]) -> str:
    """Why the first of a model's networks is none for this task; empty where it is one."""
    name, network = next(iter(networks.items()))
    generates = hasattr(network, "sample") and hasattr(network, "latent")
    if task == "generate" and not generates:
        return f"is no generator: its network {name!r} makes no samples"
    return f"transforms nothing: its network {name!r} makes samples" if task == "transform" and generates else ""


class Model:
    """What `ganzoo.load` returns.

    `size`, `channels`, `conditions`, `labels`, `scale` and `domains` say what it makes, `network` is the module.
    """

    def __init__(self, config: ModelConfig, networks: dict[str, nn.Module], image_range: tuple[float, float]):
        self.config = config
        self.networks = {name: network.eval().requires_grad_(False) for name, network in networks.items()}
        self.image_range = image_range
        self.files: ModelFiles | None = None

    @classmethod
    @torch.inference_mode(False)
    def read(
        cls, source: Path | ModelFiles, device: str | torch.device | None = None, dtype: torch.dtype | None = None
    ) -> "Model":
        """The model in a folder. Nothing that the folder names is imported; raises ModelError."""
        target = device_of(device)
        files = source if isinstance(source, ModelFiles) else ModelFiles.of(source)
        config = files.config()
        architecture = files.architecture(config)
        with torch.device("meta"):
            skeletons = {name: built(config.architecture.name, architecture, name) for name in config.networks}
        weights = files.load(skeletons, config)
        with torch.device("cpu"):
            networks = {name: built(config.architecture.name, architecture, name) for name in config.networks}
        for name, network in networks.items():
            network.load_state_dict(weights[name], strict=True)
            if architecture.channels_last:
                network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model = cls(config, networks, architecture.image_range)
        if problem := another_task(config.task, networks):
            raise ModelError(f"{files.name} {problem}")
        model.files = files
        return model.to(target, dtype or torch.float32)

    @property
    def origin(self) -> str:
        """Where the model was read from: `hf://user/repo@commit`, or a folder; empty for one just trained."""
        return self.files.name if self.files else ""

    @property
    def network(self) -> nn.Module:
        """The published network (the first one, where there are several)."""
        return next(iter(self.networks.values()))

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def task(self) -> str:
        return self.config.task

    @property
    def spec(self) -> Spec:
        return self.config.spec

    @property
    def size(self) -> int | None:
        return self.spec.size

    @property
    def channels(self) -> int | None:
        return self.spec.channels

    @property
    def conditions(self) -> tuple[str, ...]:
        return self.config.conditions

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes that `sample(label=...)` takes; empty for an unconditional model."""
        return self.spec.labels if "label" in self.conditions else ()

    @property
    def scale(self) -> int | None:
        return self.spec.scale

    @property
    def domains(self) -> tuple[str, ...]:
        return self.spec.domains

    @property
    def directions(self) -> tuple[str, ...]:
        """What `transform(direction=...)` takes: `noto-to-twemoji`, and back where the model publishes two networks."""
        return directions(self.domains, len(self.networks))

    def translator(self, direction: str | None = None) -> nn.Module:
        """The network of a direction, by default the first. Raises ModelError."""
        if direction is None:
            return self.network
        if direction not in self.directions:
            known = ", ".join(self.directions) or "none by name"
            raise ModelError(f"model {self.name!r} has no direction {direction!r}; its directions are {known}")
        return list(self.networks.values())[self.directions.index(direction)]

    def __repr__(self) -> str:
        about = [self.task]
        about += [f"{self.size}x{self.size}"] if self.size else []
        about += [f"x{self.scale}"] if self.scale else []
        about += [f"{len(self.labels)} labels"] if self.labels else []
        count = sum(p.numel() for network in self.networks.values() for p in network.parameters())
        return f"Model({self.name!r}, {', '.join(about)}, {count:,} parameters, {self.device})"

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def to(self, device: str | torch.device | torch.dtype | None = None, dtype: torch.dtype | None = None) -> "Model":
        """Move the networks, and return the model; a dtype may come first, as in torch. Raises ModelError."""
        if isinstance(device, torch.dtype):
            device, dtype = None, dtype or device
        if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise ModelError(f"dtype must be one of torch's floating point types such as torch.float16, not {dtype!r}")
        try:
            target = device if device is None else device_of(device)
        except GanzooError as error:
            raise ModelError(str(error)) from None
        for network in self.networks.values():
            network.to(device=target, dtype=dtype)
        if dtype in (torch.float16, torch.bfloat16) and self.device.type == "cpu":
            say_if_slow(dtype, "keep models in float32 here")
        return self

    def save(
        self, folder: str | Path, *, force: bool = False, name: str | None = None, licence: str | None = None
    ) -> None:
        """Write the model as a folder that `ganzoo.load("file:FOLDER")` reads, under another `name` or `licence` where
        they are given. Raises ModelError."""
        mine, config = self.files, {key: value for key, value in self.config.tables().items() if key != "training"}
        config["recipe"] = portable(config["recipe"])
        changes = {key: value for key, value in (("name", name), ("licence", licence)) if value is not None}
        if mine is None:
            files = {"samples.png": png(self.sheet())} if self.task == "generate" else {}
        else:
            files = {file: mine.read(file) for file in ("README.md", "samples.png") if mine.has(file)}
        if name is not None:
            config.pop("repository", None)  # what is there has the old name
        if mine is None or changes:
            try:
                config = ModelConfig.read(config | changes).tables()
                files["README.md"] = card.render(config, name).encode()
            except (AttributeError, KeyError, TypeError, ValueError) as error:  # a stranger's may hold anything
                raise ModelError(f"{self.name!r} can't be saved so: {plain('; '.join(mistakes(error)), 400)}") from None
        model_folder.write(Path(folder), config, self.networks, files, force)

    def sample(
        self,
        count: int,
        *,
        seed: int | None = None,
        latents: Tensor | None = None,
        batch_size: int = 100,
        device: str | torch.device = "cpu",
        **conditions: Any,
    ) -> Tensor:
        """`count` images, (count, channels, height, width) float32 in [0, 1].

        Image i depends on `seed` and i alone, whatever the count or batch size; no seed means a new one each call.
        `label` is a class name, an index, or one of them an image; left out it cycles through the classes. `latents`,
        (count, ...) as the network's `latent` draws them, replace the seed. Further numbers are the network's `options`
        (StyleGAN2's `truncation`). Raises ModelError.
        """
        if self.task != "generate":
            raise ModelError(f"model {self.name!r} transforms images; use transform(images)")
        count = whole("count", count, 1, MOST)
        batch_size = whole("batch_size", batch_size, 1, MOST)
        options = options_of(self, conditions)
        given = conditions_of(self, count, {n: value for n, value in conditions.items() if n not in options})
        if latents is not None:
            check_latents(self, count, latents)
        target = device_of(device)
        seed = random.getrandbits(48) if seed is None else whole("seed", seed, 0, 2**53 - 1)
        like = next(self.network.parameters())
        images: list[Tensor] = []
        room: Tensor | None = None  # for many, so that a batch's memory is the next one's
        with contextlib.ExitStack() as held, torch.inference_mode():
            for start in range(0, count, batch_size):
                stop = min(start + batch_size, count)
                z = self.latents(seed, start, stop) if latents is None else latents[start:stop]
                parts = (c[start:stop].to(like.device) for c in given)
                made = self._unit(self.network.sample(z.to(like), *parts, **options))  # type: ignore[operator]
                if start == 0 and made.device.type == "cpu" and (count - stop) * made.shape[2:].numel() >= MANY:
                    room = room_for(count, made, target)
                    held.enter_context(kept_for_now())
                if room is None:
                    images.append(made.to(target))
                else:
                    room[start:stop] = made
        return torch.cat(images) if room is None else room  # outside, so that they are tensors like any others

    def invert(
        self, images: Any, *, shared: bool = False, steps: int = 200, seed: int = 0, **conditions: Any
    ) -> Tensor:
        """The latents whose images are most like these pictures, (N, ...), for `sample(latents=...)`.

        `images` are PIL pictures, or (N, channels, size, size) float in [0, 1] or uint8. With `shared` it is one latent
        for all, (1, ...): where `label` gives each its class, a style that they have in common. The best of 256 draws
        of `seed` are optimised for `steps` steps to make the squared difference of pixels at several scales small
        (Zhu et al., 2016). Raises ModelError.
        """
        return invert(self, images, shared, steps, seed, conditions)

    @torch.no_grad()
    def transform(
        self,
        images: Pictures,
        *,
        direction: str | None = None,
        ensemble: bool = False,
        tile: int | None = None,
        **conditions: Any,
    ) -> Pictures:
        """What the model makes of a picture of any size; large ones go through it in tiles without seams.

        A PIL picture gives a PIL picture: grey stays grey, 16 bits stay 16, alpha is kept and EXIF orientation
        honoured. A numpy array, as `numpy.asarray(picture)` gives it, gives an array; one of floats in [0, 1] gives
        float32. A tensor, (N, channels, H, W) float in [0, 1] or uint8, gives float32 in [0, 1] on its device. `tile`
        is the side of a tile in input pixels, chosen by size when left out. `ensemble` takes the mean over the eight
        flips and turns (Timofte et al., 2016), at eight times the work. `direction` is one of `directions`. Raises
        ModelError, or GanzooError for a picture.
        """
        if self.task != "transform":
            raise ModelError(f"model {self.name!r} makes images of nothing; use sample(count)")
        network = self.translator(direction)
        if tile is not None:
            tile = whole("tile", tile, 8, 2**16)
        many = len(images) if isinstance(images, Tensor) and images.dim() == 4 else 1
        given = conditions_of(self, many, conditions)
        low, high = self.image_range
        like = next(network.parameters())

        def call(part: Tensor) -> Tensor:
            labels = (condition.to(like.device) for condition in given)
            with torch.inference_mode():
                made: Tensor = network(part.to(like) * (high - low) + low, *labels)
            return self._unit(made).to(part.device)

        chosen = tiling.ensemble(call) if ensemble else call
        channels = self.takes(network)
        if isinstance(images, Image.Image | np.ndarray):
            picture = images if isinstance(images, Image.Image) else photos.of_array(images)
            if channels not in (1, 3):
                raise ModelError(f"model {self.name!r} takes (N, {channels}, H, W), which is no picture; give a tensor")
            made = photos.transformed(picture, network, chosen, channels, tile, channels < (self.channels or 3))
            if isinstance(images, Image.Image):
                return made
            pixels = np.asarray(made)
            return pixels if images.dtype.kind != "f" else (pixels / np.iinfo(pixels.dtype).max).astype(np.float32)
        return tiling.transformed(network, chosen, pictures_of(self, images, channels), tile)

    def takes(self, translator: nn.Module) -> int:
        """Channels of the pictures that a translator is given."""
        return int(getattr(translator, "channels", None) or self.channels or 3)

    def sheet(self, columns: int = 10, *, seed: int = 0, **options: Any) -> Image.Image:
        """A contact sheet of samples: a labelled row for each class (at most 36), ten rows when there is none."""
        columns = whole("columns", columns, 1, MOST)
        if self.labels and "label" in options:
            raise ModelError(
                "a sheet has a row for each class; for one, ganzoo.images.grid(model.sample(10, label=...))"
            )
        rows = self.labels[:36]
        if not rows:
            return grid(self.sample(columns * 10, seed=seed, **options), columns)
        asked = [label for label in rows for _ in range(columns)]
        return grid(self.sample(len(asked), seed=seed, label=asked, **options), columns, rows)

    def latents(self, seed: int, start: int, stop: int) -> Tensor:
        """Latents of the images `start` to `stop` of a seed, each from its own, on the CPU. Raises ModelError."""
        if self.task != "generate":
            raise ModelError(f"model {self.name!r} transforms images, and takes no latents")
        seed, start = whole("seed", seed, 0, 2**53 - 1), whole("start", start, 0, 2**53 - 1)
        stop = whole("stop", stop, start + 1, start + MOST)
        return latents_of(self.network, ((seed * 1_000_003 + i) % 2**63 for i in range(start, stop)))

    def _unit(self, images: Tensor) -> Tensor:
        low, high = self.image_range
        return images.float().sub(low).div_(high - low).clamp_(0, 1)

    @property
    def options(self) -> dict[str, tuple[float, float]]:
        """Numbers that `sample` takes by name, with their least and greatest value."""
        return dict(getattr(self.network, "options", {}))
