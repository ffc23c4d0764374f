"""How a training on a CPU holds its memory: what a step frees, the next one uses again."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGEST = 32 * 2**20  # the most that glibc takes for the second


def keep_freed_memory() -> None:
    """Let glibc keep what it is given back, for this process. Nothing happens under another C library.

    By default it returns the top of the heap to the system whenever much is free, so every step of a training pays
    for fetching it again page by page. Pieces that no tensor fits into are kept too; docs/scaling.md has how much
    that is.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
