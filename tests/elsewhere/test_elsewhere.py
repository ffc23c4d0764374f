"""Trainings and models on a device beside the host: nothing mixes the two, and what comes out is what the CPU makes.

A GPU's own kernels, autocast and graphs are not tried by this.
"""

import subprocess
import sys
import textwrap

import pytest
from torch.utils import backend_registration

from ganzoo.registry import registry

pytestmark = pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason="this torch has no devices written in Python",
)
UNLIKE = "cut-noto-twemoji", "srgan-photos-x4"  # cgan-mnist is among the works that follow


def there(*words):
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


def works(*words):
    there("-m", "tests.elsewhere.works", *words)


def test_the_instrument_sees_where_the_two_meet():
    there(
        "-c",
        textwrap.dedent("""
            import os, torch
            from tests.elsewhere.device import DEVICE, Elsewhere

            def refused(work):
                try:
                    work()
                except (RuntimeError, TypeError):
                    return True

            with Elsewhere():
                a, here = torch.ones(2, device=DEVICE), torch.ones(2)
                wrong = lambda: a + here, lambda: a[torch.tensor([0])], lambda: a.numpy(), lambda: a.double()
                right = lambda: a + 1, lambda: a + torch.tensor(1.0), lambda: a + here.to(a), lambda: a.cpu() + here
                seen = [refused(w) for w in wrong] == [True] * 4 and not any(refused(r) for r in right)
            os._exit(not seen)
        """),
    )


def test_recipes_that_are_unlike_train_there_as_here():
    works("train", *UNLIKE)


def test_a_run_goes_on_there_and_is_measured():
    works("resume")


def test_models_there_make_the_same_images():
    works("use")
    works("move")


@pytest.mark.prove
@pytest.mark.parametrize("name", sorted(set(registry().names("recipe")) - {*UNLIKE}))
def test_every_recipe_trains_there_as_here(name):
    works("train", name)


@pytest.mark.prove
def test_every_regularizer_acts_there_as_here():
    works("regularize", *registry().names("regularizer"))
