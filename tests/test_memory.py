"""What this process frees is used again where that was asked for."""

import platform
import resource

import pytest
import torch

from ganzoo import memory


def pages():
    """What the system has to give for a tensor of 64 MB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries hold memory as they do")
def test_pieces_of_any_size_are_used_again_within_the_block_alone(monkeypatch):
    monkeypatch.setattr(memory, "_keeps", False)  # by a training before
    with memory.kept_for_now():
        first, second = pages(), pages()
    assert second < first / 4
    assert min(pages(), pages()) > 4 * second


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    memory.keep_freed_memory()
    with memory.kept_for_now():
        assert pages() >= 0
