"""Folders that appear whole or not at all."""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError

STAGING = ".staging-"
RECORD = 16 * 1024**2  # bytes of a run's JSON that are read: it may be a stranger's
OLD = ".old"  # ends the name of a folder while another takes its place


def typed(path: str | Path) -> Path:
    """A path as a person typed it, `~` being their home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # of nobody's home
        return Path(path)


def encodable(name: str) -> bool:
    """Whether a name of the file system is UTF-8, as our files are; those of old archives may not be."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def staged(target: Path, replace: bool = False) -> Iterator[Path]:
    """A new folder that becomes `target` when the block ends well, and vanishes when it doesn't.

    Everything is on the disk before the rename, so after a crash `target` is complete or absent. With `replace` an
    older folder stays in its place until then.
    """
    staging = target.parent / f"{STAGING}{target.name}-{uuid.uuid4().hex[:8]}"
    staging.mkdir(parents=True)
    try:
        yield staging
        for item in sorted(staging.rglob("*"), reverse=True):
            sync(item)
        sync(staging)
        _swap(staging, target) if replace and target.exists() else staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    sync(target.parent)


def _swap(new: Path, target: Path) -> None:
    old = target.parent / f"{STAGING}{target.name}-{uuid.uuid4().hex[:8]}{OLD}"
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Where to write a picture that takes the place of `path` when the block ends well. Raises GanzooError."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except (OSError, ValueError) as error:  # a format has a largest size
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        said = getattr(error, "strerror", None) or error
        raise GanzooError(f"{str(path)!r} can't be written: {said}") from None


def write(path: Path, content: bytes) -> None:
    """A new file with this content; a full disk is said here, not when the file is closed."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)


def remove(folder: Path) -> None:
    """Delete a folder that is never seen half deleted: what a kill leaves of it, `sweep` finds."""
    doomed = folder.parent / f"{STAGING}{folder.name}-{uuid.uuid4().hex[:8]}"
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what a killed process left half written; what it was about to replace stands in its place again."""
    for old in folder.glob(f"{STAGING}*{OLD}"):
        target = folder / old.name.removeprefix(STAGING).rpartition("-")[0]
        if not target.exists():
            old.rename(target)
    for left in folder.glob(f"{STAGING}*"):
        shutil.rmtree(left, ignore_errors=True)


def sync(path: Path) -> None:
    """Have the operating system put a file or folder on the disk."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows, which opens no folders and flushes nothing that is open to read
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """The hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_hash(content: bytes) -> str:
    """The hash by which git, and so the Hub, names a small file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def open_regular(path: Path) -> BufferedReader:
    """Open a plain file to read. Symlinks, devices and folders are an OSError, and a FIFO can't block."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path.name} is no regular file")
    return os.fdopen(handle, "rb")


def read_regular(path: Path, most: int = RECORD) -> bytes:
    """A plain file's content. What is no plain file is an OSError, and one of more than `most` bytes a ValueError."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path.name} is larger than {most} bytes")
    return content


def to_json(value: Any) -> str:
    """JSON as ganzoo writes it: readable, stable, without NaN."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str | bytes) -> Any:
    """JSON that says each key once and holds no NaN; anything else is a ValueError."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands there twice")
    return table


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
