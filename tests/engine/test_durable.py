"""Checkpoints survive kills, full disks and rot; at most the work since the last one is lost."""

import contextlib
import errno
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine.best import Best
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.processes import Processes
from ganzoo.errors import TrainingError
from ganzoo.resolve import resolve
from ganzoo.run import Run
from tests.engine.many import start
from tests.engine.test_resume import same
from tests.support import environment, tiny


def recipe(steps, **more):
    return tiny("gan-mnist", **{"training.images": 4 * steps, "training.checkpoint_every": 4, **more})


def train(out, steps, **more):
    ganzoo.train(recipe(steps, **more), out=out, device="cpu")


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.prove)])
def test_killed_at_random_moments(kills, tmp_path):
    steps, draw, seen = 40 * kills, random.Random(kills), 0
    run = Run(tmp_path / "killed")
    done = 0
    while done < kills:
        process = start(train, run.folder, steps)
        began = time.monotonic()
        while not (found := sorted(run.checkpoints.glob("step-*"))) or found[-1].name == checkpoints.name(seen):
            assert time.monotonic() - began < 60
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.1))
        killed = process.is_alive()
        process.kill()
        process.join()
        done += killed
        for path in run.checkpoints.glob("step-*"):
            checkpoints.read(path)  # none is torn
        reached = checkpoints.newest(run.checkpoints).step
        assert reached >= seen
        seen = reached
        if not killed:
            break
    assert done == kills
    steps = seen + 5
    train(run.folder, steps)
    assert not list(run.checkpoints.glob(".staging*"))
    train(tmp_path / "whole", steps)
    same(run, Run(tmp_path / "whole"))


def killed_while_replacing(out, steps):
    rename = Path.rename

    def killed(self, target):
        rename(self, target)
        if self.name == checkpoints.name(steps):
            os._exit(9)

    Path.rename = killed
    train(out, steps, **{"training.keep": 1})  # which takes the last checkpoint again


def test_killed_while_a_checkpoint_takes_the_place_of_the_only_one(tmp_path):
    run = Run(tmp_path / "killed")
    train(run.folder, 3, **{"training.keep": 1})
    process = start(killed_while_replacing, run.folder, 3)
    process.join(60)
    assert process.exitcode == 9
    assert not list(run.checkpoints.glob("step-*"))
    train(run.folder, 5)
    train(tmp_path / "whole", 3)
    train(tmp_path / "whole", 5)
    same(run, Run(tmp_path / "whole"))


@pytest.fixture
def engine(tmp_path):
    """An engine between two steps, with a checkpoint behind it."""
    parts = resolve(recipe(10))
    made = Engine(parts, Run(tmp_path / "run"), Processes("cpu"), Observers())
    made.run.begin(parts.recipe, parts.spec)
    made._log_start()
    made.save()
    made._step()
    return made


def test_a_layer_that_a_network_uses_under_two_names_is_saved_and_restored(engine):
    network = engine.networks["generator"]
    network.twin = network.layers[0]
    engine.save()
    before = network.twin.weight.clone()
    network.twin.weight.data.zero_()
    engine.saver.restore(checkpoints.newest(engine.run.checkpoints))
    assert torch.equal(network.layers[0].weight, before)
    assert network.twin is network.layers[0]


class FullDisk:
    """Lets `left` calls that write go through and refuses the others."""

    CALLS = "write", "fsync", "mkdir", "rename", "open"

    def __init__(self, monkeypatch, folder, left):
        self.left, self.calls, self.folder = left, 0, str(folder)
        for name in self.CALLS:
            monkeypatch.setattr(os, name, self._limited(name, getattr(os, name)))

    def _limited(self, name, call):
        def limited(*arguments, **options):
            wants = name != "open" or (str(arguments[0]).startswith(self.folder) and arguments[1] & os.O_CREAT)
            if wants:
                self.calls += 1
                if self.calls > self.left:
                    raise OSError(errno.ENOSPC, "No space left on device")
            return call(*arguments, **options)

        return limited


def calls_of_a_save(engine, monkeypatch):
    with monkeypatch.context() as patched:
        disk = FullDisk(patched, engine.run.folder, 10**6)
        engine.save()
        engine._step()
        return disk.calls


def test_a_full_disk_at_every_write_leaves_the_checkpoint_before_it(engine, monkeypatch, caplog):
    calls = calls_of_a_save(engine, monkeypatch)
    assert calls > 20
    for left in range(calls):
        before = checkpoints.newest(engine.run.checkpoints).step
        caplog.clear()
        with monkeypatch.context() as patched:
            FullDisk(patched, engine.run.folder, left)
            engine.save()
        assert "No space left on device); training goes on" in caplog.text
        assert checkpoints.newest(engine.run.checkpoints).step in (before, engine.steps)
        assert not list(engine.run.checkpoints.glob(".staging*"))
        engine.save()
        assert checkpoints.newest(engine.run.checkpoints).step == engine.steps
        engine._step()


def test_three_failures_in_a_row_end_the_training_with_exit_code_3(engine, monkeypatch):
    FullDisk(monkeypatch, engine.run.folder, 3)
    engine.save()
    engine.save()
    with pytest.raises(TrainingError, match=r"make room in .* and give the same command again") as failed:
        engine.save()
    assert failed.value.exit_code == 3


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux, to limit another process's files")
def test_a_process_that_may_write_no_more_says_so_three_times_and_ends_with_exit_code_3(tmp_path):
    run = Run(tmp_path / "run")
    command = [sys.executable, "-m", "ganzoo", "train", "gan-mnist", "--out", str(run.folder), "--device", "cpu"]
    for setting in ("batch_size=4", "images=10_000_000", "checkpoint_every=200", "log_every=1_000_000"):
        command += ["--set", f"training.{setting}"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        began = time.monotonic()
        while len(list(run.checkpoints.glob("step-*"))) < 2:
            assert time.monotonic() - began < 90
            time.sleep(0.01)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
        said = " ".join(process.communicate(timeout=90)[1].split())
    finally:
        process.kill()
    assert process.returncode == 3, said
    assert said.count("training goes on, the one before it stays (failure") == 2, said
    assert "make room in" in said
    assert "Traceback" not in said
    assert checkpoints.newest(run.checkpoints).step > 0
    assert not list(run.checkpoints.glob(".staging*"))


def test_a_disk_that_fills_up_during_a_run_costs_no_training(tmp_path, monkeypatch, caplog):
    run = Run(tmp_path / "run")
    original = Engine._step

    def step(self):
        original(self)
        with monkeypatch.context() as patched:
            if self.steps == 2:
                FullDisk(patched, run.folder, 5)
                self.save()

    monkeypatch.setattr(Engine, "_step", step)
    train(run.folder, 4)
    assert "failure 1 of 3" in caplog.text
    monkeypatch.undo()
    train(tmp_path / "whole", 4)
    same(run, Run(tmp_path / "whole"))


def test_every_file_that_is_cut_or_flipped_is_found_and_the_checkpoint_before_it_used(tmp_path, caplog):
    run = Run(tmp_path / "run")
    train(run.folder, 5)
    last, draw = checkpoints.newest(run.checkpoints), random.Random(0)
    for file in sorted(path for path in last.path.rglob("*") if path.is_file()):
        content = file.read_bytes()
        flips = [draw.randrange(len(content)) for _ in range(40 if file.name == "manifest.json" else 4)]
        broken = [content[:-1], b"", content + b" ", *(_flip(content, at) for at in flips)]
        for wrong in broken:
            caplog.clear()
            file.write_bytes(wrong)
            found = checkpoints.newest(run.checkpoints)
            assert found.step == last.step - 1, (file, wrong == b"")
            assert f"{last.path.name} is damaged" in caplog.text
            assert "using the one before it" in caplog.text
        file.write_bytes(content)
        assert checkpoints.newest(run.checkpoints).step == last.step
    (last.path / "networks" / "generator.safetensors").unlink()
    train(run.folder, 6)
    train(tmp_path / "whole", 6)
    same(run, Run(tmp_path / "whole"))
    assert (run.checkpoints / f"damaged-{last.path.name}").is_dir()


def _flip(content, at):
    changed = bytearray(content)
    changed[at] ^= 1 << random.Random(at).randrange(8)
    return bytes(changed)


def test_the_last_ones_and_the_best_are_kept(tmp_path, monkeypatch):
    """By any value of the log; what is exported as the best is the model of that checkpoint."""
    values = iter([3.0, 1.0, 2.0, float("nan"), 1.0, 4.0])
    original = Engine.tell
    monkeypatch.setattr(Engine, "tell", lambda self, row: original(self, row | {"chosen/value": next(values)}))
    intervals = {"training.log_every": 4, "training.best": "min:chosen/value"}
    run = ganzoo.train(recipe(6, **intervals), out=tmp_path / "run", device="cpu")
    assert sorted(path.name for path in run.checkpoints.glob("step-*")) == [checkpoints.name(n) for n in (2, 5, 6)]
    best = ganzoo.Model.read(run.best_export(), device="cpu")
    assert best.config.tables()["trained"]["steps"] == 2
    saved = checkpoints.read(run.checkpoints / checkpoints.name(2)).tensors("ema/generator")
    for name, value in best.network.state_dict().items():
        torch.testing.assert_close(value, saved[name], rtol=1e-2, atol=1e-3)  # stored in half precision
    assert [row.get("chosen/value") for row in run.metrics()] == [3.0, 1.0, 2.0, None, 1.0, 4.0]


@pytest.mark.parametrize("again", [False, True])
def test_the_best_is_exported_though_its_export_failed_or_was_killed(again, tmp_path, monkeypatch):
    values, original, export = iter([3.0, 1.0, 2.0, 4.0]), Engine.tell, Best.export
    monkeypatch.setattr(Engine, "tell", lambda self, row: original(self, row | {"chosen/value": next(values)}))

    def broken(self, networks, step, images, seconds):
        if step != 2:
            export(self, networks, step, images, seconds)
        elif again:
            raise KeyboardInterrupt

    intervals = {"training.log_every": 4, "training.best": "min:chosen/value"}
    with monkeypatch.context() as patched:
        patched.setattr(Best, "export", broken)
        with pytest.raises(KeyboardInterrupt) if again else contextlib.nullcontext():
            train(tmp_path / "run", 3, **intervals)
    train(tmp_path / "run", 4, **intervals)
    best = ganzoo.Model.read(Run(tmp_path / "run").best_export(), device="cpu")
    assert best.config.tables()["trained"]["steps"] == 2


def test_a_best_by_what_the_log_has_not_is_said(tmp_path, caplog):
    ganzoo.train(recipe(2, **{"training.best": "max:beauty"}), out=tmp_path / "run", device="cpu")
    assert "the log has no value 'beauty' (there are discriminator/" in caplog.text
