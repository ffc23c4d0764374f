"""A signal at any moment: the step ends, all processes save at the same one and stop; the same command resumes."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import ganzoo
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine import chores, export, saving, updates
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers
from ganzoo.engine.optimizers import Average, NetworkOptimizer
from ganzoo.engine.updates import Batches, Stepper
from ganzoo.errors import Stopped
from ganzoo.run import Run
from tests.engine.many import together
from tests.engine.test_resume import same
from tests.support import environment, images_of_a_step, tiny

STEPS = 6
# where the signal comes, at which call of it, and the step after which the run stops
POSITIONS = {
    "before a step": (Engine, "_step", 3, 3),
    "drawing a batch": (Batches, "__next__", 3, 2),
    "in a critic loop": (Stepper, "_advance", 8, 2),
    "differentiating": (Stepper, "_differentiate", 4, 2),
    "before a reduction": (Stepper, "_apply", 6, 2),
    "in an optimiser": (NetworkOptimizer, "step", 7, 3),
    "after a step": (Stepper, "finish", 2, 2),
    "averaging": (Average, "update", 2, 2),
    "logging": (Engine, "_log", 1, 2),
    "telling observers": (Observers, "call", 3, 2),
    "sampling": (chores, "sheet", 1, 4),
    "beginning to save": (saving.checkpoints, "save", 2, 4),
    "hashing": (checkpoints, "write", 16, 4),
    "verifying": (checkpoints, "read", 2, 4),
    "deleting old ones": (checkpoints, "prune", 2, 4),
    "in the last step": (Engine, "_remember", 6, 6),
    "in the last save": (Engine, "_finish", 1, 6),
}
ON_THE_MAIN_PROCESS = {"sampling", "beginning to save", "hashing", "verifying", "deleting old ones"}


def recipe():
    small = tiny("wgan-gp-mnist", **{"strategy.critic_steps": 2})
    batch = images_of_a_step(small)
    intervals = {"log_every": 2 * batch, "sample_every": 3 * batch, "checkpoint_every": 3 * batch}
    return small.changed(training={"images": STEPS * batch, **intervals})


def interrupted(out, position, number, rank):
    """Train; the signal comes to one process, where `position` says. The step after which it stopped."""
    owner, name, count, _ = POSITIONS[position]
    original, calls = getattr(owner, name), [0]

    def hooked(*arguments, **options):
        calls[0] += 1
        if calls[0] == count and int(os.environ.get("RANK", 0)) == rank:
            signal.raise_signal(number)
        return original(*arguments, **options)

    setattr(owner, name, hooked)
    try:
        with pytest.raises(Stopped) as stopped:
            ganzoo.train(recipe(), out=out, device="cpu")
    finally:
        setattr(owner, name, original)
    return stopped.value.exit_code, checkpoints.newest(Run(out).checkpoints).step


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return ganzoo.train(recipe(), out=tmp_path_factory.mktemp("whole") / "run", device="cpu")


def test_the_positions_are_many():
    assert len(POSITIONS) >= 16
    assert updates.Stepper is Stepper
    assert export.sheet is chores.sheet


@pytest.mark.parametrize("position", POSITIONS)
def test_a_signal_at_any_position_is_resumed_exactly(position, whole, tmp_path):
    number = signal.SIGINT if len(position) % 2 else signal.SIGTERM
    code, step = interrupted(tmp_path / "run", position, number, 0)
    assert code == 128 + number
    assert abs(step - POSITIONS[position][3]) <= 1
    resumed = ganzoo.train(recipe(), out=tmp_path / "run", device="cpu")
    same(resumed, whole)
    grids = [{path.name: path.read_bytes() for path in run.samples.iterdir()} for run in (resumed, whole)]
    assert grids[0] == grids[1]


MEASURE = {"metrics": ["frechet-distance"], "every": 8, "count": 2}
VALUE = "measured/frechet-distance"


def test_a_signal_breaks_off_a_measurement_and_it_is_made_when_the_run_goes_on(tmp_path, monkeypatch):
    """Measuring may take minutes, which nobody who is about to be shut down has."""
    measured = tiny("gan-mnist", **{"training.images": 24, "training.log_every": 4, "training.measure": MEASURE})
    values = {VALUE: 3.0}
    monkeypatch.setattr(chores, "measured", lambda parts, networks: values)
    whole = ganzoo.train(measured, out=tmp_path / "whole", device="cpu")

    def slow(parts, networks):
        threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGTERM]).start()
        time.sleep(60)

    monkeypatch.setattr(chores, "measured", slow)
    began = time.monotonic()
    with pytest.raises(Stopped) as stopped:
        ganzoo.train(measured, out=tmp_path / "run", device="cpu")
    assert time.monotonic() - began < 40
    assert stopped.value.exit_code == 143
    run = Run(tmp_path / "run")
    assert checkpoints.newest(run.checkpoints).step == 2
    assert checkpoints.newest(run.checkpoints).manifest["due"] == ["measure"]
    monkeypatch.setattr(chores, "measured", lambda parts, networks: values)
    same(ganzoo.train(measured, out=run.folder, device="cpu"), whole)
    assert [row["images"] for row in run.metrics() if VALUE in row] == [8, 16, 24]


def test_a_measurement_that_was_made_later_is_not_lost_when_the_run_goes_back(tmp_path, monkeypatch):
    measured = tiny("gan-mnist", **{"training.images": 24, "training.measure": MEASURE})
    values = iter([3.0])

    def stopped(parts, networks):
        for value in values:
            return {VALUE: value}
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(chores, "measured", stopped)
    with pytest.raises(Stopped):
        ganzoo.train(measured, out=tmp_path / "run", device="cpu")
    monkeypatch.setattr(chores, "measured", lambda parts, networks: {VALUE: 4.0})  # not the best, which is saved anyway
    original = Engine._step

    def step(self):
        if self.attempt == 0:
            next(self.networks["generator"].parameters()).data[0].fill_(float("nan"))
        original(self)

    monkeypatch.setattr(Engine, "_step", step)
    run = ganzoo.train(measured, out=tmp_path / "run", device="cpu")
    assert [row["images"] for row in run.metrics() if VALUE in row] == [8, 16, 24]


def on_all(out):
    found = {}
    for position in POSITIONS:
        rank = 0 if position in ON_THE_MAIN_PROCESS else 1
        found[position] = interrupted(out / position, position, signal.SIGTERM, rank)
    return found


def test_a_signal_to_one_process_stops_all_at_the_same_step(tmp_path):
    first, second = together(2, on_all, tmp_path)
    assert first == second
    assert {code for code, _ in first.values()} == {143}
    assert set(first) == set(POSITIONS)


def begin(out, *more):
    settings = "architecture.width=4", "training.batch_size=2", "training.images=1_000_000", *more
    command = [sys.executable, "-m", "ganzoo", "train", "gan-mnist", "--out", str(out), "--device", "cpu"]
    command += [word for setting in settings for word in ("--set", setting)]
    return subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True, preexec_fn=heeds_interrupts)


def heeds_interrupts():
    """What runs in the background of a shell inherits that Ctrl-C is ignored, until Python has taken it over."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_second_signal_ends_the_process_at_once(tmp_path):
    slow = tmp_path / "sitecustomize.py"
    slow.write_text(
        "import sys, threading, time\n"
        "def slow():\n"
        "    while not hasattr(sys.modules.get('ganzoo.engine.loop'), 'Engine'):\n"
        "        time.sleep(0.01)\n"
        "    sys.modules['ganzoo.engine.loop'].Engine._step = lambda self: time.sleep(1000)\n"
        "threading.Thread(target=slow, daemon=True).start()\n"
    )
    command = [sys.executable, "-m", "ganzoo", "train", "gan-mnist", "--out", str(tmp_path / "run"), "--device", "cpu"]
    process = subprocess.Popen(command, env=environment([tmp_path]), stderr=subprocess.DEVNULL)
    until(lambda: (tmp_path / "run" / "checkpoints" / "step-00000000").is_dir())
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None, "the first lets the step end, and this one never does"
    process.send_signal(signal.SIGTERM)
    assert process.wait(2) == 143


def test_an_interrupt_while_it_starts_ends_quietly(tmp_path):
    for delay in (0.3, 1.0):
        process = begin(tmp_path / "run")
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
        assert process.returncode in (130, -signal.SIGINT), said  # negative: before Python itself was ready
        if process.returncode == 130:
            assert "Traceback" not in said


def until(true, timeout=90):
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < timeout
        time.sleep(0.02)


def workers(launcher):
    """Process ids of torchrun's children by rank (Linux)."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == launcher:
                variables = (folder / "environ").read_bytes().split(b"\0")
                (rank,) = (v for v in variables if v.startswith(b"RANK="))
                found[int(rank[5:])] = int(folder.name)
    return found


def launch(out, images):
    settings = "architecture.width=4", "training.batch_size=4", f"training.images={images}"
    intervals = "training.checkpoint_every=40", "training.log_every=40", "training.keep=1000"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["--max-restarts", "1", "-m", "ganzoo", "train", "gan-mnist", "--out", str(out), "--device", "cpu"]
    command += [word for setting in (*settings, *intervals) for word in ("--set", setting)]
    return subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize("_", [0, *(pytest.param(i, marks=pytest.mark.prove) for i in range(1, 10))])
def test_a_killed_rank_under_torchrun_goes_on_from_its_last_checkpoint(_, tmp_path):
    run = Run(tmp_path / "run")
    process = launch(run.folder, 400)
    try:
        until(lambda: len(list(run.checkpoints.glob("step-*"))) > 2, 200)
        os.kill(workers(process.pid)[1], signal.SIGKILL)
        said = process.communicate(timeout=200)[1]
    finally:
        process.terminate()  # nothing is left behind by a test that fails
    assert process.returncode == 0, said
    rows = run.metrics()
    assert [row["images"] for row in rows] == list(range(40, 401, 40)), "no line of the log is lost or twice"
    assert run.newest_export().name == "step-00000100"
