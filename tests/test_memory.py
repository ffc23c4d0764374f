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


SAMPLES = """
import platform, resource, sys
import ganzoo, torch
from tests import memory
torch.set_num_threads(1)
if not {held}:
    platform.libc_ver = lambda: ("", "")
model = ganzoo.load("cgan-mnist", device="cpu")
model.sample(1, seed=0)
pages, before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, memory.kib("VmRSS")
images = model.sample(1000, seed=0)
assert not images.is_inference()
pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - pages
del images
print(pages, memory.kib("VmRSS") - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries hold memory as they do")
def test_many_samples_use_the_memory_of_those_before_and_give_it_back():
    """Pages that the system has to give for a thousand digits, and what the process holds afterwards."""
    (held, left), (without, _) = (map(int, python(SAMPLES.format(held=held)).stdout.split()) for held in (True, False))
    assert held < 0.5 * without
    assert left < 2**14  # KiB; a batch takes twice that


TOO_MANY = """
import resource, ganzoo
model = ganzoo.load("cgan-mnist", device="cpu")
resource.setrlimit(resource.RLIMIT_AS, (16 * 2**30, 16 * 2**30))
try:
    model.sample(9_000_000)
except ganzoo.GanzooError as error:
    print(error)
"""


def test_more_samples_than_memory_holds_are_refused_in_a_sentence():
    said = python(TOO_MANY).stdout
    assert "9,000,000 images of (1, 28, 28) need 26.3 GiB, which cpu hasn't; sample fewer at a time" in said


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    memory.keep_freed_memory()
    with memory.kept_for_now():
        assert torch.ones(2**24).sum() == 2**24
