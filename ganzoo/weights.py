"""A safetensors file, read with suspicion: its header is checked before anything is allocated."""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from ganzoo.errors import ChecksumError, ModelError
from ganzoo.files import from_json, git_hash, open_regular

MAX_HEADER = 1024 * 1024
MAX_TENSORS = 10_000
MAX_SIZE = 8 * 1024**3
DTYPES = {"float16": ("F16", torch.float16), "bfloat16": ("BF16", torch.bfloat16), "float32": ("F32", torch.float32)}
_NAMES = {torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}
_SIZES = {"F16": 2, "BF16": 2, "F32": 4, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}

Layout = dict[str, tuple[list[int], str]]


class Weights:
    """An open file: `layout` by its header, `check` against networks, then `read`."""

    def __init__(self, file: BinaryIO, name: str):
        self.file, self.name = file, name
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER or size > MAX_SIZE:
            raise ModelError(f"{name} has a header of {length} bytes and {size} in all; at most {MAX_HEADER} are read")
        self._header = file.read(length)
        try:
            self.layout, total = _layout(from_json(self._header.decode()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{name} is no safetensors file: {str(error)[:200]}") from None
        self._sizes = size, 8 + length + total

    def check(self, expected: Layout) -> None:
        """Keys, shapes and dtypes must be exactly these. Raises ModelError."""
        wrong = sorted(set(self.layout) ^ set(expected)) or [k for k, v in expected.items() if self.layout[k] != v]
        if wrong:
            key = wrong[0]
            have = "{1} {0}".format(*self.layout[key]) if key in self.layout else "absent"
            want = "{1} {0}".format(*expected[key]) if key in expected else "absent"
            raise ModelError(
                f"{self.name} doesn't fit its config: {key[:200]!r} is {have} and should be {want}"
                + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")
            )
        size, said = self._sizes
        if size != said:
            raise ModelError(f"{self.name} can't be read: it has {size} bytes and its header says {said}")

    def read(self, *hashes: str) -> dict[str, Tensor]:
        """The tensors, all finite. The bytes that were hashed are the bytes that are loaded. Raises ModelError."""
        self.file.seek(8 + len(self._header))
        content = len(self._header).to_bytes(8, "little") + self._header + self.file.read()
        check_hashes(self.name, content, *hashes)
        try:
            tensors = load(content)
        except (SafetensorError, ValueError, RuntimeError) as error:
            raise ModelError(f"{self.name} can't be read: {str(error)[:200]}") from None
        for key, value in tensors.items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise ModelError(f"{self.name} holds values that are not finite, in {key[:200]!r}")
        return tensors


@contextmanager
def open_weights(path: Path, name: str) -> Iterator[Weights]:
    """The weights file at a path; `name` is what errors call it. Raises ModelError."""
    try:
        file = open_regular(path)
    except OSError:
        raise ModelError(f"there is no regular file {name}") from None
    with file:
        yield Weights(file, name)


def layout_of(networks: Mapping[str, nn.Module], dtype: str) -> Layout:
    """What a file of these networks (on the meta device, say) must hold when stored as `dtype`."""
    stored = DTYPES[dtype][0]
    return {
        f"{name}.{key}": (list(value.shape), stored if value.is_floating_point() else _NAMES[value.dtype])
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }


def check_hashes(name: str, content: bytes, *hashes: str) -> None:
    """Compare content with sha256 hashes (64 digits) or git's (40). Raises ChecksumError."""
    for expected in hashes:
        compare(name, expected, git_hash(content) if len(expected) == 40 else hashlib.sha256(content).hexdigest())


def compare(name: str, expected: str, found: str) -> None:
    """Raise ChecksumError unless a file's hash is what it should be."""
    if found != expected:
        cached = "remove it with `ganzoo cache prune NAME`" if " of hf://" in name else "get it anew"
        raise ChecksumError(
            f"{name} was changed or damaged: its hash should be {expected} and is {found}; {cached}, then try again"
        )


def _layout(table: Any) -> tuple[Layout, int]:
    table.pop("__metadata__", None)
    if len(table) > MAX_TENSORS:
        raise ValueError(f"{len(table)} tensors; at most {MAX_TENSORS} are read")
    layout: Layout = {}
    for key, about in table.items():
        shape, dtype = about["shape"], about["dtype"]
        sides = isinstance(shape, list) and len(shape) <= 8 and all(type(n) is int and 0 <= n < 2**63 for n in shape)
        if not sides or not isinstance(dtype, str) or not re.fullmatch("[A-Z0-9_]{1,20}", dtype):
            raise ValueError(f"tensor {key[:200]!r} has the shape {str(shape)[:100]} and the dtype {str(dtype)[:20]!r}")
        layout[key] = (shape, dtype)
    return layout, sum(math.prod(shape) * _SIZES.get(dtype, 8) for shape, dtype in layout.values())
