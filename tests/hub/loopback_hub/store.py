"""Repositories in memory: commits, branches, tags, pull requests, tokens. Knows nothing of HTTP."""

import hashlib
import itertools
from dataclasses import dataclass, field

import yaml

LFS = (".safetensors", ".png", ".bin")


class Refused(Exception):
    """What the Hub answers instead: a status, its error code and message."""

    def __init__(self, status, message, code=None, **fields):
        super().__init__(message)
        self.status, self.message, self.code, self.fields = status, message, code, fields


def blob_id(content):
    """The git hash of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@dataclass
class Commit:
    oid: str
    parent: str | None
    title: str
    files: dict


@dataclass
class Repository:
    """One repository with its history."""

    id: str
    private: bool = False
    gated: bool = False
    allowed: set = field(default_factory=set)  # users who may read it although it is private or gated
    commits: dict = field(default_factory=dict)
    branches: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    pulls: dict = field(default_factory=dict)

    @property
    def owner(self):
        return self.id.split("/")[0]

    def resolve(self, revision):
        """The commit behind a branch, tag, pull request or commit id."""
        for named in (self.branches, self.tags, self.pulls):
            if revision in named:
                return self.commits[named[revision]]
        if revision in self.commits:
            return self.commits[revision]
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def commit(self, files, title="a commit", revision="main", parent=None, pull=False, deleted=()):
        """Add `files` to a revision's; returns the commit. A parent that isn't the head is refused."""
        head = self.branches.get(revision) or self.pulls.get(revision)
        if head is None and self.commits:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        if parent is not None and not pull and (head is None or not head.startswith(parent)):
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        base = self.commits[parent or head].files if head else {}
        content = {name: data for name, data in {**base, **files}.items() if name not in deleted}
        seed = repr((self.id, head, title, len(self.commits), sorted((n, sha256(d)) for n, d in content.items())))
        commit = Commit(hashlib.sha1(seed.encode()).hexdigest(), parent or head, title, content)
        self.commits[commit.oid] = commit
        target = f"refs/pr/{len(self.pulls) + 1}" if pull else revision
        (self.pulls if target.startswith("refs/pr/") else self.branches)[target] = commit.oid
        return commit

    def front_matter(self, commit):
        """The card's front matter, or nothing where it can't be read."""
        text = commit.files.get("README.md", b"").decode(errors="replace")
        try:
            parts = text.split("---\n", 2)
            front = yaml.safe_load(parts[1]) if text.startswith("---\n") else {}
            return front if isinstance(front, dict) else {}
        except (yaml.YAMLError, IndexError):
            return {}

    def tags_of(self, front):
        """What the Hub makes searchable of a card."""
        tags = front["tags"] if isinstance(front.get("tags"), list) else []
        tags = [tag for tag in tags if isinstance(tag, str)]
        tags += [front["library_name"]] if isinstance(front.get("library_name"), str) else []
        tags += [front["pipeline_tag"]] if isinstance(front.get("pipeline_tag"), str) else []
        for key, prefix in (("license", "license"), ("datasets", "dataset"), ("base_model", "base_model")):
            values = front.get(key)
            values = [values] if isinstance(values, str) else values if isinstance(values, list) else []
            tags += [f"{prefix}:{value}" for value in values]
        return list(dict.fromkeys(tags))


class Store:
    """Every repository, every token, and the large files that were uploaded."""

    def __init__(self):
        self.repositories = {}
        self.tokens = {}  # token -> (user, role)
        self.objects = {}
        self.numbers = itertools.count(1)

    def token(self, user="user", role="write"):
        """A new token; `role` is read or write."""
        token = f"hf_{user}{role}{next(self.numbers):020d}"
        self.tokens[token] = (user, role)
        return token

    def repository(self, name, files=None, **options):
        """Make a repository; with files it has a first commit of them beside .gitattributes."""
        repository = self.repositories[name] = Repository(name, **options)
        repository.commit({".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit")
        if files:
            repository.commit(files)
        return repository

    def readable(self, name, user):
        """A repository that this user may read."""
        repository = self.repositories.get(name)
        mine = repository is not None and (user == repository.owner or user in repository.allowed)
        if repository is None or (repository.private and not mine):
            status = 404 if user else 401
            raise Refused(status, "Repository not found", "RepoNotFound")
        return repository

    def open(self, name, user):
        """A repository whose files this user may read: gated ones ask for an agreement."""
        repository = self.readable(name, user)
        if repository.gated and user != repository.owner and user not in repository.allowed:
            status = 403 if user else 401
            raise Refused(status, f"Access to model {name} is restricted.", "GatedRepo")
        return repository

    def writable(self, name, user, role):
        repository = self.readable(name, user)
        if user != repository.owner or role != "write":
            raise Refused(403, "You don't have the rights to write to this repository")
        return repository
