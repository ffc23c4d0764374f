"""How this process holds its memory on a CPU: what one layer or step frees, the next one uses again.

glibc takes every piece above 32 MB from the system anew, page by page, and gives the top of its heap back whenever much
of it is free. Large activations then cost more than the arithmetic on them. Under another C library nothing is changed.
"""

import contextlib
import ctypes
import platform
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import ModelError

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # of mallopt(3)
_LARGEST = 32 * 2**20  # the most that glibc takes for the second
_PIECES = 65536  # what it takes for the third by default
_ALL = 2**31 - 1

_keeps = False  # for good, as a training does


def _glibc() -> Any:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def keep_freed_memory() -> None:
    """Let glibc keep what it is given back, for this process.

    Pieces that no tensor fits into are kept too; docs/scaling.md has how much that is.
    """
    global _keeps
    if glibc := _glibc():
        glibc.mallopt(_MMAP_THRESHOLD, _LARGEST)
        glibc.mallopt(_TRIM_THRESHOLD, _ALL)
        _keeps = True


@contextlib.contextmanager
def kept_for_now() -> Iterator[None]:
    """Keep freed memory, of pieces of any size, until the end of the block, which gives it all back.

    Afterwards the thresholds are where glibc itself puts them once a piece of 32 MB was freed.
    """
    glibc = None if _keeps else _glibc()
    if glibc is None:
        yield
        return
    glibc.mallopt(_MMAP_MAX, 0)
    glibc.mallopt(_TRIM_THRESHOLD, _ALL)
    try:
        yield
    finally:
        glibc.mallopt(_MMAP_MAX, _PIECES)
        glibc.mallopt(_MMAP_THRESHOLD, _LARGEST)
        glibc.mallopt(_TRIM_THRESHOLD, 2 * _LARGEST)
        glibc.malloc_trim(0)


@torch.inference_mode(False)
def room_for(count: int, like: Tensor, device: torch.device) -> Tensor:
    """Memory for `count` images like these. Raises ModelError where there is too little."""
    try:
        return torch.empty(count, *like.shape[1:], device=device)
    except RuntimeError as error:
        need = count * like[0].numel() * 4 / 2**30
        raise ModelError(
            f"{count:,} images of {tuple(like.shape[1:])} need {need:,.1f} GiB, which {device} hasn't; sample fewer at "
            "a time, with latents=model.latents(seed, start, stop)"
        ) from error
