"""Where a model's name leads: a short name to shipped or pinned files, `hf://` to the Hub, `file:` to a folder."""

import functools
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ganzoo.errors import ModelError, UnknownNameError, meant
from ganzoo.files import from_json, typed
from ganzoo.recipes import NAME
from ganzoo.registry import listing, registry
from ganzoo.settings import Settings
from ganzoo.text import plain

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9][A-Za-z0-9._-]{0,199}){0,5}")
PAGE = re.compile(rf"https://(?:huggingface\.co|hf\.co)/({REPOSITORY.pattern})(?:/(?:tree|commit)/([^/?#]+))?/?")
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Repo:
    """`hf://user/name@revision`; no revision means the newest."""

    id: str
    revision: str | None = None

    def __str__(self) -> str:
        """As `parse_repo` takes it: it needs the slashes of a branch's name spelled %2F."""
        if self.revision is None:
            return f"hf://{self.id}"
        as_is = self.revision.startswith("refs/pr/")
        return f"hf://{self.id}@{self.revision if as_is else self.revision.replace('/', '%2F')}"


class PinnedFile(Settings):
    """A file of a pinned model."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=2**40)


class Pinned(Settings):
    """A short name's model on the Hub: one commit, and the hash of each of its files."""

    repo: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    task: Literal["generate", "transform"]
    summary: str = Field("", max_length=500)
    files: dict[
        Literal["README.md", "config.json", "model.safetensors", "samples.png", "training.safetensors"], PinnedFile
    ]


class Catalogue(Settings):
    """Short names whose weights aren't shipped: they stand in a file of the package, never on the Hub."""

    models: dict[Annotated[str, Field(pattern=NAME)], Pinned] = Field(max_length=10_000)


@functools.cache
def catalogue() -> dict[str, Pinned]:
    """The pinned models by their short names."""
    return Catalogue.read(from_json((files("ganzoo") / "catalogue.json").read_text("utf-8"))).models


def shipped_model(name: str) -> Traversable:
    """The folder of a model that this distribution ships: in the wheel beside this file, in a checkout at its root."""
    here = Path(__file__).parent
    inside = here / "model_cards"
    return (inside if inside.is_dir() else here.parent / "model_cards") / name


def model_folder_of(name: str) -> Path:
    """The local folder behind a name that needs no network. Raises UnknownNameError or ModelError."""
    found = find(name)
    if not isinstance(found, Path):
        raise ModelError(f"{name!r} is on the Hub; write it to a folder with `ganzoo pull {name} --out FOLDER`")
    return found


def find(name: str) -> Path | Pinned | Repo:
    """What a model's name means. Raises UnknownNameError or ModelError; asks no network."""
    if not isinstance(name, str) or not name or len(name) > 1000 or re.search(r"[\x00-\x1f\x7f]", name):
        raise ModelError(f"{plain(name)!r} is no model's name; `ganzoo models` lists them")
    if name.startswith("file:"):
        return local_folder(name)
    if name.lower().startswith("hf:"):
        return parse_repo(name)
    if page := PAGE.fullmatch(name):
        at = f"@{page[2]}" if page[2] else ""
        raise ModelError(f"{plain(name)!r} is a page's address; its model is hf://{page[1]}{at}")
    there, folder = _on_disk(name)
    if folder and not _is_short(name):
        raise ModelError(f"{name!r} is a folder and no model's name; write file:{name}")
    if "/" in name or name.startswith((".", "~")) or (there and not _is_short(name)):
        repo = name if REPOSITORY.fullmatch(name) else "USER/NAME"
        raise ModelError(f"{name!r} is no model's name; write file:{name} for a folder, or hf://{repo} for the Hub")
    if name in registry().names("model"):
        return Path(str(registry().get("model", name)))
    if name in catalogue():
        return catalogue()[name]
    known = sorted({*registry().names("model"), *catalogue()})
    recipe = f"{name!r} is a recipe to train; " if name in registry().names("recipe") else ""
    hint = f"{meant(name, known)} {recipe}there are: {listing(known)}".lstrip()
    raise UnknownNameError(f"there is no model {name!r}; {hint}; a model on the Hub is hf://USER/NAME")


def parse_repo(name: str) -> Repo:
    """`hf://user/repo[@revision]`, and nothing that only looks like it. Raises ModelError."""
    from huggingface_hub.errors import HfUriError
    from huggingface_hub.utils import parse_hf_uri  # type: ignore[attr-defined]

    problem = ModelError(f"{plain(name)!r} is no model on the Hub; write hf://USER/NAME or hf://USER/NAME@REVISION")
    if not name.startswith("hf://"):
        raise problem
    try:
        uri = parse_hf_uri(name)
    except (HfUriError, ValueError):
        raise problem from None
    revision = uri.revision
    if uri.type != "model" or uri.path_in_repo or not REPOSITORY.fullmatch(uri.id) or ".." in name:
        raise problem
    if revision is not None and not REVISION.fullmatch(revision):
        raise problem
    return Repo(uri.id, revision)


def local_folder(name: str) -> Path:
    """The model folder behind `file:PATH`: the path itself, or a run's newest export. Raises ModelError, or RunError
    where nothing is exported yet."""
    folder = typed(name.removeprefix("file:"))
    try:
        is_run, is_folder = (folder / "recipe.json").is_file(), folder.is_dir()
    except OSError as error:
        raise ModelError(f"folder {str(folder)!r} can't be read: {error.strerror}") from None
    if is_run:
        from ganzoo.run import Run

        return Run(folder).newest_export()
    if not is_folder:
        raise ModelError(f"there is no folder {str(folder)!r}")
    run = next((place for place in folder.resolve().parents[:2] if (place / "recipe.json").is_file()), None)
    if run is not None and not (folder / "config.json").is_file():
        raise ModelError(f"{str(folder)!r} is a part of a run; name the run itself, file:{run}")
    return folder


def _on_disk(name: str) -> tuple[bool, bool]:
    """Whether something has this name here, and whether it is a folder."""
    try:
        return Path(name).exists(), Path(name).is_dir()
    except OSError:  # too long for a file
        return False, False


def _is_short(name: str) -> bool:
    return name in registry().names("model") or name in catalogue()
