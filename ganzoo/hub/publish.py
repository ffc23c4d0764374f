"""Publish a model folder: one commit of an explicit list of regular files."""

import contextlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import HubError, PublishError, UnreachableError
from ganzoo.folder import PUBLISHED
from ganzoo.hub.client import Hub, MovedError, NoRepositoryError, NoRevisionError, ask
from ganzoo.hub.download import Snapshot, look
from ganzoo.hub.prepare import Gate, Prepared, prepare
from ganzoo.names import REPOSITORY, REVISION, Repo, local_folder
from ganzoo.run import Run
from ganzoo.text import plain


@dataclass(frozen=True)
class Published:
    """What was, or with `dry_run` would be, published. `changed` is false when the Hub held it already."""

    repo: str
    card: str
    files: Mapping[str, int]
    url: str = ""
    commit: str | None = None
    pull_request: str | None = None
    changed: bool = False


def publish(
    source: "Run | Path | str",
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    tag: str | None = None,
    create_pr: bool = False,
    dry_run: bool = False,
    gate: Gate | bool = True,
    licence: str | None = None,
    data_licence: str | None = None,
    training: bool = False,
    message: str | None = None,
    hub: Hub | None = None,
) -> Published:
    """Publish a run's newest export, or a model folder, to `user/name` on the Hub, in one commit.

    `gate` False skips the check of the model's quality, and the card says so; a function of the folder that lists why
    not is a gate of your own. `training` adds the raw networks, for others to fine-tune. `dry_run` shows the card and
    the files and asks no network. The folder on disk becomes what is on the Hub. Raises PublishError (nothing was
    sent), GateError or HubError; trying again is always safe.
    """
    folder, run = _source(source)
    for what, value, pattern in (
        ("repository", repo, REPOSITORY),
        ("revision", revision, REVISION),
        ("tag", tag, REVISION),
    ):
        if value is not None and (not pattern.fullmatch(value) or ".." in value):
            raise PublishError(f"{plain(value)!r} is no name of a {what}; a repository is USER/NAME")
    if create_pr and tag:
        raise PublishError("a pull request has no commit to tag yet; leave --tag out, and tag it once it is merged")
    if training and run is None:
        raise PublishError("only a run has the raw networks for training.safetensors; name the run, not its export")
    hub = hub or Hub()
    chosen = family_gate() if gate is True else gate or None
    with tempfile.TemporaryDirectory(prefix="ganzoo-publish-") as staging:
        ready = prepare(
            folder, Path(staging), repo, chosen, licence, data_licence, run if training else None, hub.leaks
        )
        if dry_run:
            return Published(repo, ready.card, ready.sizes)
        title = message or f"Publish {repo.split('/')[1]} with ganzoo"
        result = _send(hub, ready, Repo(repo, revision), private, tag, create_pr, title)
        _keep(ready, folder)
    return result


def family_gate() -> Gate:
    """The gate of the model's family: a function of a model folder that lists why it must not be published."""
    from ganzoo.evaluation.gates import gate  # late: it brings feature networks

    return gate


def _source(source: "Run | Path | str") -> tuple[Path, Run | None]:
    if isinstance(source, Run):
        return source.newest_export(), source
    if isinstance(source, str) and source.startswith(("hf:", "http")):
        raise PublishError(f"{plain(source)!r} is on the Hub already; name a run or a model folder")
    path = str(source).removeprefix("file:")
    return local_folder(f"file:{path}"), Run(path) if Run(path).exists else None


def _send(
    hub: Hub, ready: Prepared, repo: Repo, private: bool, tag: str | None, create_pr: bool, title: str
) -> Published:
    before = _open(hub, repo, private, create_pr)
    _check_tag(hub, repo, tag, before, ready)
    commit, pull = before.sha, None
    changed = not _holds(before, ready)
    if changed:
        commit, pull = _commit(hub, ready, repo, before, create_pr, title)
    if tag:
        _tag(hub, repo, tag, commit)
    return Published(repo.id, ready.card, ready.sizes, f"{hub.url}/{repo.id}", commit, pull, changed)


def _open(hub: Hub, repo: Repo, private: bool, create_pr: bool) -> Snapshot:
    """The repository as it is now; it and its branch are made when they don't exist."""
    try:
        found = look(hub, repo)
    except NoRepositoryError:
        if create_pr:
            raise
        ask(hub, f"hf://{repo.id}", lambda: hub.api().create_repo(repo.id, private=private, exist_ok=True))
        found = look(hub, Repo(repo.id)) if repo.revision else look(hub, repo)
        if repo.revision:
            found = _branch(hub, repo)
    except NoRevisionError:
        found = _branch(hub, repo)
    if private and found.private is False:
        raise PublishError(
            f"hf://{repo.id} exists and is public; make it private in its settings, or leave --private out"
        )
    return found


def _branch(hub: Hub, repo: Repo) -> Snapshot:
    name = str(repo.revision)
    ask(hub, str(repo), lambda: hub.api().create_branch(repo.id, branch=name, exist_ok=True))
    return look(hub, repo)


def _commit(
    hub: Hub, ready: Prepared, repo: Repo, before: Snapshot, create_pr: bool, title: str
) -> tuple[str, str | None]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    operations: list[CommitOperationAdd | CommitOperationDelete] = []
    for name in ready.sizes:
        add = CommitOperationAdd(name, ready.folder / name)
        if add.upload_info.sha256.hex() != ready.hashes[name][1]:
            raise PublishError(f"{name} changed while it was being published; run the same command again")
        operations.append(add)
    # of our own files none may stay that belongs to other weights; what else people keep there is theirs
    operations += [
        CommitOperationDelete(name) for name in PUBLISHED if name in before.files and name not in ready.sizes
    ]
    try:
        made = ask(
            hub,
            str(repo),
            lambda: hub.api().create_commit(
                repo.id,
                operations,
                commit_message=title,
                parent_commit=before.sha,
                revision=repo.revision,
                create_pr=create_pr,
            ),
        )
    except HubError as error:
        problem = error
    else:
        return made.oid, made.pr_url
    return _landed(hub, ready, repo, create_pr, problem), None


def _landed(hub: Hub, ready: Prepared, repo: Repo, create_pr: bool, problem: HubError) -> str:
    """The commit when it landed although its answer was lost; else the problem, with what to do."""
    if create_pr:
        raise HubError(f"{problem}; look whether the pull request is there before you try again")
    now = None
    with contextlib.suppress(HubError):
        now = look(hub, repo)
    if now is not None and _holds(now, ready):
        return now.sha
    if isinstance(problem, MovedError) and now is not None:
        raise PublishError(
            f"{repo} got another commit while you published (it is at {now.sha[:12]} now), and nothing of yours was "
            f"written; look at {hub.url}/{repo.id}/commits/{repo.revision or 'main'}, then run the same command again"
        )
    if isinstance(problem, UnreachableError):
        raise UnreachableError(f"{problem}; the same command again is safe: it writes nothing twice")
    raise problem


def _holds(snapshot: Snapshot, ready: Prepared) -> bool:
    listed = {name: file.hash for name, file in snapshot.files.items()}
    return set(listed) == set(ready.hashes) and all(listed[name] in ready.hashes[name] for name in listed)


def _check_tag(hub: Hub, repo: Repo, tag: str | None, before: Snapshot, ready: Prepared) -> None:
    """A tag that says another commit is never moved, and that is known before anything is written."""
    if tag is None:
        return
    there = _tags(hub, repo).get(tag)
    if there is not None and not (there == before.sha and _holds(before, ready)):
        raise PublishError(f"hf://{repo.id} has the tag {tag!r} at {there[:12]} already; choose another")


def _tag(hub: Hub, repo: Repo, tag: str, commit: str) -> None:
    if _tags(hub, repo).get(tag) == commit:
        return
    try:
        ask(hub, str(repo), lambda: hub.api().create_tag(repo.id, tag=tag, revision=commit))
    except HubError as error:
        problem = error
    else:
        return
    with contextlib.suppress(HubError):
        if _tags(hub, repo).get(tag) == commit:
            return
    raise HubError(f"published as {commit[:12]}, but the tag {tag!r} isn't set ({problem}); run the same command again")


def _tags(hub: Hub, repo: Repo) -> dict[str, str]:
    refs = ask(hub, str(repo), lambda: hub.api().list_repo_refs(repo.id))
    return {ref.name: ref.target_commit for ref in refs.tags}


def _keep(ready: Prepared, folder: Path) -> None:
    """The folder on disk becomes what is on the Hub. One that can't be written stays as it is."""
    for name in ("training.safetensors", "config.json", "README.md"):
        if name in ready.sizes:
            temporary = folder / f".{name}.new"
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
                with (ready.folder / name).open("rb") as new, temporary.open("xb") as file:  # x: through no symlink
                    shutil.copyfileobj(new, file, 1024 * 1024)
                temporary.replace(folder / name)
