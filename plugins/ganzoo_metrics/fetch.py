"""Weights that are fetched when they are first used, and kept."""

import hashlib
import urllib.request
import uuid
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

from ganzoo import GanzooError
from ganzoo.evaluation.cache import folder

MOST = 2**30


def fetched(url: str, sha256: str = "") -> Path:
    """The local copy of a file; `sha256` is the hash, or its beginning, that it must have. Raises GanzooError."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise GanzooError(f"weights are fetched by https alone, not from {url!r}")
    path = folder().parent / "weights" / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{Path(parts.path).name}"
    if not path.is_file():
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                content = answer.read(MOST + 1)
        except (URLError, OSError) as error:
            raise GanzooError(
                f"the weights {url} can't be fetched ({error}); go online, or name a local copy"
            ) from None
        if len(content) > MOST:
            raise GanzooError(f"the weights {url} are larger than {MOST} bytes")
        found = hashlib.sha256(content).hexdigest()
        if not found.startswith(sha256):
            raise GanzooError(f"the weights {url} have the hash {found} and should have {sha256}...")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")  # other processes may be fetching it too
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            raise GanzooError(f"the weights {url} can't be kept in {str(path.parent)!r}: {error.strerror}") from None
    return path


def state_hash(state: dict) -> str:
    """The hash of a state dictionary: names, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(-1).numpy().tobytes())
    return digest.hexdigest()
