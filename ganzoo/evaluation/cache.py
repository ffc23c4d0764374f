"""What was computed of a reference, kept on the disk under the hash of its pixels and of the feature network."""

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

VERSION = 1  # of what is kept; raise it when the computation changes


def folder() -> Path:
    """`$GANZOO_CACHE`, or the user's cache folder."""
    home = os.environ.get("GANZOO_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(home) if home else base / "ganzoo") / "features"


def cached(key: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors by key: read, or computed and written whole. A folder that can't be written costs only time."""
    path = folder() / f"{key}-{VERSION}.safetensors"
    with contextlib.suppress(OSError, SafetensorError):
        return load_file(path)
    tensors = compute()
    with contextlib.suppress(OSError, SafetensorError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as staging:
            save_file(tensors, Path(staging) / "new")
            (Path(staging) / "new").replace(path)
    return tensors
