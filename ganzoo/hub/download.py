"""Fetch a model's files: the revision is resolved once, files are taken by that commit, every hash is checked.

Only the names in `ganzoo.folder.PUBLISHED` are ever asked for, whatever a repository lists.
"""

import contextlib
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import ChecksumError, HubError, ModelError, UnreachableError
from ganzoo.files import git_hash, sha256
from ganzoo.folder import MOST, PUBLISHED, ModelFiles
from ganzoo.hub.client import BusyError, Hub, ask, patience
from ganzoo.hub.etags import HASH, only_hashes
from ganzoo.hub.reach import reach
from ganzoo.names import COMMIT, Pinned, Repo, find

log = logging.getLogger("ganzoo")
NEEDED = ("config.json", "model.safetensors")


@dataclass(frozen=True)
class Listed:
    """A file as a Hub lists it: its size, and its sha256 or (a small file) git's hash."""

    size: int
    hash: str


@dataclass(frozen=True)
class Snapshot:
    """A repository at one commit."""

    repo: Repo
    sha: str
    files: Mapping[str, Listed]
    others: tuple[str, ...] = ()
    private: bool | None = None

    @property
    def name(self) -> str:
        return f"hf://{self.repo.id}@{self.sha}"


def files_of(
    name: str, hub: Hub | None = None, extra: Iterable[str] = (), needed: Sequence[str] = NEEDED
) -> ModelFiles:
    """The files behind a model's name: those `needed`, by default what loading it takes, and those of `extra` it has.

    Raises UnknownNameError, ModelError, or HubError (UnreachableError, ChecksumError).
    """
    extra = tuple(extra)
    found = find(name)
    if isinstance(found, Path):
        return ModelFiles.of(found)
    hub = hub or Hub()
    if isinstance(found, Pinned):
        files: dict[str, Listed] = {k: Listed(v.size, v.sha256) for k, v in found.files.items()}
        return _fetch(
            hub, Snapshot(Repo(found.repo, found.revision), found.revision, files), extra, needed, looked=False
        )
    if hub.offline:
        return cached(hub, found, extra, needed)
    if found.revision and COMMIT.fullmatch(found.revision):
        with contextlib.suppress(UnreachableError):
            here = cached(hub, found, extra, needed)
            if all(name in here.paths for name in extra):
                return here  # a commit never changes: what is cached needs no look-up
    try:
        snapshot = look(hub, found)
    except (BusyError, UnreachableError) as error:
        problem = error
    else:
        here = _fetch(hub, snapshot, extra, needed)
        if set(NEEDED) <= set(needed):
            _remember(hub, snapshot)
        return here
    try:
        here = cached(hub, found, extra, needed)
    except UnreachableError as missing:
        if isinstance(problem, UnreachableError):
            raise UnreachableError(f"{problem}; {missing}") from None
    else:
        log.warning("%s; using %s from the cache", problem, here.name)
        return here
    raise problem


def look(hub: Hub, repo: Repo) -> Snapshot:
    """Resolve a repository's revision to a commit, once, with the hash of each file. Raises HubError."""
    if not hub.offline:
        reach(hub.url, str(repo))
    info = ask(
        hub,
        str(repo),
        lambda: hub.api().model_info(repo.id, revision=repo.revision, files_metadata=True, timeout=patience()),
    )
    sha = info.sha if isinstance(info.sha, str) else ""
    if not COMMIT.fullmatch(sha):
        raise HubError(f"the Hub at {hub.url} gives no commit for {repo}")
    files, others = {}, []
    for item in info.siblings or ():
        if item.rfilename not in PUBLISHED:
            others.append(str(item.rfilename))
            continue
        lfs = item.lfs.sha256 if item.lfs else None
        if isinstance(item.size, int) and isinstance(lfs or item.blob_id, str):
            files[item.rfilename] = Listed(item.size, str(lfs or item.blob_id))
    return Snapshot(repo, sha, files, tuple(others), info.private)


def cached(hub: Hub, repo: Repo, extra: Iterable[str] = (), needed: Sequence[str] = NEEDED) -> ModelFiles:
    """What the cache holds of a repository, asking no network. Raises UnreachableError when it isn't enough."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import RevisionResolutionError

    try:
        resolved = hub.api().resolve_revision(
            repo.id, revision=repo.revision, local_files_only=True, cache_dir=hub.folder
        )
        sha = resolved.resolved
    except (RevisionResolutionError, OSError, ValueError):
        sha = ""
    paths: dict[str, Path] = {}
    hashes: dict[str, str] = {}
    for name in (*needed, *extra) if COMMIT.fullmatch(sha) else ():
        path = try_to_load_from_cache(repo.id, name, cache_dir=hub.folder, revision=sha)
        if isinstance(path, str):
            paths[name], named = _blob(hub, path), _named(path)
            hashes |= {name: named} if HASH.fullmatch(named) else {}
    missing = [name for name in needed if name not in paths]
    if missing:
        what = f"only a part of it (no {', '.join(missing)})" if paths else "nothing of it"
        why = "HF_HUB_OFFLINE is set" if hub.offline else "the Hub can't be reached"
        raise UnreachableError(f"{repo} is asked for while {why}, and this computer holds {what}; `ganzoo cache` lists")
    return ModelFiles(f"hf://{repo.id}@{sha}", paths, hashes)


def _fetch(
    hub: Hub, snapshot: Snapshot, extra: Iterable[str], needed: Sequence[str], looked: bool = True
) -> ModelFiles:
    missing = [name for name in NEEDED if name not in snapshot.files]
    if missing:
        pickled = [n for n in snapshot.others if n.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl"))]
        hint = "; pickled weights are never read, since a pickle can run code" if pickled else ""
        raise ModelError(f"{snapshot.name} is no ganzoo model: it has no {' and no '.join(missing)}{hint}")
    wanted = [*needed, *(name for name in extra if name in snapshot.files)]
    paths = {name: path for name in wanted if (path := _cached(hub, snapshot, name)) is not None}
    if not looked and not hub.offline and len(paths) < len(wanted):
        reach(hub.url, snapshot.name)
    paths |= {name: _download(hub, snapshot, name) for name in wanted if name not in paths}
    return ModelFiles(snapshot.name, paths, {name: snapshot.files[name].hash for name in wanted})


def _cached(hub: Hub, snapshot: Snapshot, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    size = snapshot.files[name].size
    if size > MOST[name]:
        raise ModelError(f"{name} of {snapshot.name} is {size} bytes; at most {MOST[name]} are read")
    before = try_to_load_from_cache(snapshot.repo.id, name, cache_dir=hub.folder, revision=snapshot.sha)
    return _blob(hub, before) if isinstance(before, str) else None


def _download(hub: Hub, snapshot: Snapshot, name: str) -> Path:
    from huggingface_hub import hf_hub_download

    from ganzoo import __version__

    listed = snapshot.files[name]
    subject = f"{name} of {snapshot.name}"
    with contextlib.nullcontext() if hub.official else only_hashes(subject, snapshot.sha):
        path = ask(
            hub,
            snapshot.name,
            lambda: hf_hub_download(
                snapshot.repo.id,
                name,
                revision=snapshot.sha,
                cache_dir=hub.folder,
                endpoint=hub.url,
                token=hub.token,
                library_name="ganzoo",
                library_version=__version__,
            ),
        )
    blob = _blob(hub, path)
    found = _hash(blob, listed.hash)
    if found != listed.hash:
        named = _named(path)
        Path(path).unlink(missing_ok=True)
        if not named or _hash(blob, named) != named:  # else it is whole, and another commit's: the Hub named it wrongly
            blob.unlink(missing_ok=True)
        raise ChecksumError(
            f"{name} of {snapshot.name} arrived damaged: its hash should be {listed.hash} and is {found}; nothing was "
            "kept, try again"
        )
    return blob


def _hash(path: Path, like: str) -> str:
    """A file's hash, of the kind that `like` is."""
    return git_hash(path.read_bytes()) if len(like) == 40 else sha256(path)


def _blob(hub: Hub, path: str) -> Path:
    """The regular file behind the cache's symlink, which must not lead out of the cache."""
    blob = Path(path).resolve()
    if not blob.is_relative_to(hub.folder):
        raise HubError(f"the cache {str(hub.folder)!r} has a link that leads out of it; empty it, then try again")
    return blob


def _named(path: str) -> str:
    """The hash that the cache's symlink names; what it leads to may stand in a store of all repositories, under a hash
    of another kind."""
    return Path(path).readlink().name if Path(path).is_symlink() else ""


def _remember(hub: Hub, snapshot: Snapshot) -> None:
    """Note which commit the revision is, for offline use: after its files are here, so that it never points at less."""
    from huggingface_hub.file_download import repo_folder_name

    revision = snapshot.repo.revision or "main"
    if COMMIT.fullmatch(revision):
        return
    ref = hub.folder / repo_folder_name(repo_id=snapshot.repo.id, repo_type="model") / "refs" / revision
    temporary = ref.with_name(f".{uuid.uuid4().hex}")
    with contextlib.suppress(OSError):  # a read-only cache
        ref.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(snapshot.sha, "utf-8")
        temporary.replace(ref)
