"""What this process frees is used again where that was asked for."""

import platform

import pytest
import torch

from ganzoo import memory
from tests.support import python

PAGES = """
import resource, torch
from ganzoo import memory
def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(16):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
before = pages()
with memory.kept_for_now():
    within = pages()
print(before, within)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries hold memory as they do")
def test_pieces_of_any_size_are_used_again_within_the_block():
    """Pages that the system has to give for tensors of 64 MB, in a process of its own."""
    done = python(PAGES)
    before, within = map(int, done.stdout.split())
    assert within < 0.75 * before  # half of them, where each is cut anew to be aligned


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    memory.keep_freed_memory()
    with memory.kept_for_now():
        assert torch.ones(2**24).sum() == 2**24
