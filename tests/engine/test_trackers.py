"""TensorBoard, Weights & Biases and Trackio are given every line of the log; none of them may cost a training."""

import json
import sqlite3

import pytest
import torch

import ganzoo
from ganzoo.errors import GanzooError
from ganzoo.run import Run
from tests.engine.many import together
from tests.support import ganzoo_command, python, tiny


def test_a_tracker_that_is_not_there_is_said_before_anything_begins(tmp_path):
    with pytest.raises(GanzooError, match="there is no tracker 'paper'; there are tensorboard, wandb, trackio"):
        ganzoo.train(tiny("gan-mnist"), out=tmp_path / "run", device="cpu", trackers=["paper"])
    assert not (tmp_path / "run").exists()


def test_tensorboard_is_given_every_line(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed, so it was not tried")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    more = {"training.images": 12, "training.log_every": 4, "observers.data": {"key": "a-secret"}}
    run = ganzoo.train(tiny("gan-mnist", **more), out=tmp_path / "run", device="cpu", trackers=["tensorboard"])
    written = {path for path in run.folder.rglob("*") if path.is_file() and b"a-secret" in path.read_bytes()}
    assert {path.name for path in written} == {"recipe.json", "manifest.json"}  # of the run and its checkpoints
    folder = {path.parent for path in run.folder.rglob("events.out.tfevents*")}
    losses = []
    for place in folder:
        events = EventAccumulator(str(place)).Reload()
        if "generator/loss" in events.Tags()["scalars"]:
            losses += [(event.step, event.value) for event in events.Scalars("generator/loss")]
    assert losses == [(row["step"], pytest.approx(row["generator/loss"])) for row in run.metrics()]


def test_a_tracker_that_fails_is_left_out(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    monkeypatch.setattr("ganzoo.engine.trackers.Tracker.ganzoo_training_started", lambda self, run: 1 / 0)
    run = ganzoo.train(tiny("gan-mnist"), out=tmp_path / "run", device="cpu", trackers=["wandb"])
    assert caplog.text.count("tracker 'wandb' failed in ganzoo_training_started and is left out") == 1
    assert run.newest_export().is_dir()


def train(folder, tracker, **variables):
    """By the command line, in a process of its own: trackers leave threads and servers behind."""
    pytest.importorskip(tracker, reason=f"{tracker} is not installed, so it was not tried")
    settings = "architecture.width=4", "training.batch_size=4", "training.images=12", "training.log_every=4"
    changes = [word for setting in settings for word in ("--set", setting)]
    where = "--out", folder / "run", "--device", "cpu"
    done = ganzoo_command("train", "gan-mnist", *where, "--tracker", tracker, *changes, **variables)
    assert done.returncode == 0, done.stderr
    assert "is left out" not in done.stderr
    return Run(folder / "run").metrics()


def test_weights_and_biases_is_given_every_line(tmp_path):
    rows = train(tmp_path, "wandb", WANDB_MODE="offline", WANDB_SILENT="true")
    (path,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    told = path.read_bytes()  # records whose values are JSON
    for row in rows:
        assert json.dumps(row["generator/loss"]).encode() in told


def test_each_training_of_a_process_has_its_weights_and_biases_in_its_own_folder(tmp_path):
    pytest.importorskip("wandb", reason="wandb is not installed, so it was not tried")
    code = f"""
        import os
        import ganzoo
        from tests.support import tiny
        for name in "ab":
            ganzoo.train(tiny("gan-mnist"), out={str(tmp_path)!r} + "/" + name, device="cpu", trackers=["wandb"])
        assert "WANDB_DIR" not in os.environ
    """
    done = python(code, WANDB_MODE="offline", WANDB_SILENT="true")
    assert done.returncode == 0, done.stderr
    assert [len(list((tmp_path / name / "wandb").glob("offline-run-*"))) for name in "ab"] == [1, 1]


def twice(folder):
    for name in "ab":
        ganzoo.train(tiny("gan-mnist"), out=folder / name, device="cpu", trackers=["tensorboard"])
    return torch.distributed.is_initialized()


def test_processes_can_train_again_after_a_training_that_was_tracked(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed, so it was not tried")
    assert together(2, twice, tmp_path) == [True, True]


def test_trackio_is_given_every_line(tmp_path):
    rows = train(tmp_path, "trackio", TRACKIO_DIR=str(tmp_path / "trackio"), HF_HUB_OFFLINE="1")
    (path,) = (tmp_path / "trackio").glob("*.db")
    with sqlite3.connect(path) as database:
        told = database.execute("select step, metrics from metrics order by step").fetchall()
    assert [(step, json.loads(line)["generator/loss"]) for step, line in told] == [
        (row["step"], pytest.approx(row["generator/loss"])) for row in rows
    ]
