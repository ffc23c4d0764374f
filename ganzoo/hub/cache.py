"""What the Hub's cache on this computer holds of ganzoo's models: list, verify, prune. And copies out of it."""

import os
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.errors import GanzooError, HubError, ModelError
from ganzoo.files import git_hash, sha256, staged
from ganzoo.folder import MOST, PUBLISHED, ModelFiles
from ganzoo.hub.client import Hub
from ganzoo.hub.download import files_of
from ganzoo.names import catalogue, parse_repo
from ganzoo.text import plain

if TYPE_CHECKING:
    from huggingface_hub import HFCacheInfo


@dataclass(frozen=True)
class Cached:
    """One commit of a repository in the cache. `refs` are the branches and tags that lead to it."""

    repo: str
    commit: str
    refs: tuple[str, ...]
    size: int
    files: dict[str, Path]

    def __str__(self) -> str:
        return f"hf://{self.repo}@{self.commit}"


def pull(name: str, out: Path | None = None, hub: Hub | None = None) -> ModelFiles:
    """Download everything that a model has, so that it works offline; with `out` also as a folder of its own.

    Raises ModelError, ChecksumError or HubError.
    """
    if out is not None and os.path.lexists(out):
        raise ModelError(f"{str(out)!r} exists; choose another folder")
    files = files_of(name, hub, extra=[file for file in PUBLISHED if file not in ("config.json", "model.safetensors")])
    files.config()
    held = [file for file in files.paths if files.has(file)]
    for file in held:
        files.verify(file)
    if out is not None:
        try:
            with staged(out) as staging:
                for file in held:
                    shutil.copyfile(files.paths[file], staging / file)
        except OSError as error:
            raise ModelError(f"{str(out)!r} can't be written: {error.strerror or error}") from None
    return files


def models(hub: Hub | None = None) -> list[Cached]:
    """The commits of ganzoo models in the cache, by repository."""
    hub, found = hub or Hub(), []
    repos = _scanned(hub).repos if hub.folder.exists() else ()
    for repo in sorted(repos, key=lambda repo: repo.repo_id):
        for revision in repo.revisions if repo.repo_type == "model" else ():
            files = {f.file_name: Path(f.blob_path) for f in revision.files if f.file_name in PUBLISHED}
            if _is_ganzoo(files.get("config.json")):
                refs = tuple(sorted(revision.refs))
                found.append(Cached(repo.repo_id, revision.commit_hash, refs, revision.size_on_disk, files))
    return found


def verify(hub: Hub | None = None) -> list[str]:
    """Compare every cached file with the hash that it is named by; a line for each that differs."""
    wrong = []
    for item in models(hub):
        for name, path in item.files.items():
            known = path.name
            found = git_hash(path.read_bytes()) if len(known) == 40 else sha256(path)
            if len(known) in (40, 64) and found != known:
                wrong.append(f"{name} of {item} should have the hash {known} and has {found}")
    return wrong


def prune(names: Iterable[str] = (), hub: Hub | None = None) -> tuple[list[str], int]:
    """Delete cached commits: of the named models all, else those that no branch, tag or short name leads to.

    Returns what was deleted and the bytes that it freed.
    """
    hub, asked = hub or Hub(), [parse_repo(name) for name in names]
    found, pins = models(hub), {pinned.revision for pinned in catalogue().values()}
    chosen = [] if asked else [item for item in found if not item.refs and item.commit not in pins]
    for repo in asked:
        named = [i for i in found if i.repo == repo.id and repo.revision in (None, i.commit, *i.refs)]
        if not named:
            raise GanzooError(f"the cache holds nothing of {repo}; `ganzoo cache` lists what it holds")
        chosen += [item for item in named if item not in chosen]
    freed = _delete(hub, chosen)
    left = [item for item in models(hub) if (item.repo, item.commit) in {(i.repo, i.commit) for i in chosen}]
    if left:
        raise HubError(f"{left[0]} can't be removed from {str(hub.folder)!r}; may you write there?")
    return [str(item) for item in chosen], freed


def _scanned(hub: Hub) -> "HFCacheInfo":
    from huggingface_hub import scan_cache_dir

    try:
        return scan_cache_dir(hub.folder)
    except (OSError, ValueError) as error:
        said = plain(getattr(error, "strerror", None) or error, 200)
        raise HubError(f"the cache {str(hub.folder)!r} can't be read: {said}") from None


def _delete(hub: Hub, chosen: Collection[Cached]) -> int:
    """The bytes that were freed. Repository by repository: a copy of another one has the same commits."""
    if not chosen:
        return 0
    info, freed = _scanned(hub), 0
    for repo in info.repos:
        commits = [i.commit for i in chosen if (i.repo, "model") == (repo.repo_id, repo.repo_type)]
        if commits:
            strategy = replace(info, repos=frozenset({repo})).delete_revisions(*commits)
            freed += strategy.expected_freed_size
            strategy.execute()
    return freed


def _is_ganzoo(config: Path | None) -> bool:
    if config is None or not config.is_file() or config.stat().st_size > MOST["config.json"]:
        return False
    content = config.read_bytes()
    return b'"networks"' in content and b'"recipe"' in content
