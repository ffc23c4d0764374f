"""What many tests use: the command, and two tiny trainings, conditional and not, which none of them changes."""

import sys
from typing import NamedTuple

import pytest
import torch

import ganzoo
from ganzoo.cli import console, errors, main
from tests.support import tiny


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def conditional_run(tmp_path_factory):
    return ganzoo.train(tiny("cgan-mnist"), out=tmp_path_factory.mktemp("conditional") / "run", device="cpu")


@pytest.fixture(scope="session")
def unconditional_run(tmp_path_factory):
    return ganzoo.train(tiny("gan-mnist"), out=tmp_path_factory.mktemp("unconditional") / "run", device="cpu")


@pytest.fixture
def model(conditional_run):
    return conditional_run.model(device="cpu")


@pytest.fixture
def unconditional(unconditional_run):
    return unconditional_run.model(device="cpu")


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys, monkeypatch):
    """Run `ganzoo ...` in this process, as the installed command does."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ganzoo", *map(str, arguments)])
        for stream in (console, errors):  # rich looks up the terminal's width when it is made
            monkeypatch.setattr(stream, "_width", 200)
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as done:
            code = done.code or 0
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture
def refused(command):
    """Run a command that must end with exit code 2 and one sentence on stderr that has these words."""

    def run(*arguments, words):
        done = command(*arguments)
        assert done.code == 2, (done.out, done.err)
        message = [line for line in done.err.splitlines() if line.startswith("error: ")]
        assert len(message) == 1, done.err
        for word in [words] if isinstance(words, str) else words:
            assert word in done.err
        assert "Traceback" not in done.err
        assert not done.out
        return done

    return run


@pytest.fixture
def folder(model, tmp_path):
    model.save(tmp_path / "model")
    return tmp_path / "model"
