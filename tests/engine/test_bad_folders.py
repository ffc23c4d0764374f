"""What a run folder may hold that it shouldn't: one clear sentence each, and nothing is lost."""

import json
import os
import resource
import shutil
import stat
import tempfile
import time
from pathlib import Path

import pytest
from torch import nn

import ganzoo
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine import health, report, saving
from ganzoo.engine.loop import Engine
from ganzoo.errors import RunError, TrainingError
from ganzoo.files import to_json
from ganzoo.resolve import resolve
from ganzoo.run import Run
from ganzoo_vanilla.architectures import MLP
from tests.engine.many import Failed, start, together
from tests.engine.test_durable import FullDisk, recipe, train


@pytest.fixture
def run(tmp_path):
    train(tmp_path / "run", 3)
    return Run(tmp_path / "run")


def rewrite(path, **changes):
    """A manifest that is whole, and says something else."""
    manifest = json.loads((path / "manifest.json").read_text())
    manifest.pop("checksum")
    manifest |= changes
    (path / "manifest.json").write_text(to_json(manifest | {"checksum": checkpoints._checksum(manifest)}))


def test_a_checkpoint_of_a_newer_schema(run):
    rewrite(checkpoints.newest(run.checkpoints).path, schema=99)
    with pytest.raises(RunError, match=r"has schema 99 and this ganzoo reads 1; upgrade torch-ganzoo"):
        train(run.folder, 4)


def test_a_checkpoint_of_another_plugin_version(run, caplog):
    rewrite(checkpoints.newest(run.checkpoints).path, plugins={"torch-ganzoo": "0.0.1"})
    train(run.folder, 4)
    assert (
        f"was begun with torch-ganzoo 0.0.1 and goes on with {ganzoo.__version__}: it may go on otherwise"
        in caplog.text
    )


def test_a_checkpoint_whose_networks_another_version_builds_otherwise(run, monkeypatch):
    rewrite(checkpoints.newest(run.checkpoints).path, plugins={"torch-ganzoo": "0.0.1"})
    before = sorted(run.checkpoints.iterdir())
    build = MLP.build

    def another(self, name):
        network = build(self, name)
        network.extra = nn.Linear(1, 1)
        return network

    monkeypatch.setattr(MLP, "build", another)
    message = (
        r"checkpoint step-00000003 doesn't fit what its plugins build now \(.*Missing key.*the run was begun with "
        r"torch-ganzoo 0.0.1 .*; install the versions that it was trained with, or begin anew with --restart"
    )
    with pytest.raises(RunError, match=message) as refused:
        train(run.folder, 4)
    assert "\n" not in str(refused.value)
    assert sorted(run.checkpoints.iterdir()) == before


def test_a_setting_that_came_with_a_later_version_is_as_by_default(run):
    """A run that was begun before the setting existed goes on."""
    record = json.loads((run.folder / "recipe.json").read_text())
    del record["recipe"]["data"]["split"]
    (run.folder / "recipe.json").write_text(to_json(record))
    train(run.folder, 4)
    assert checkpoints.newest(run.checkpoints).step == 4


def test_settings_of_a_newer_version_are_refused(run):
    record = json.loads((run.folder / "recipe.json").read_text())
    record["recipe"]["architecture"]["version"] = 99
    (run.folder / "recipe.json").write_text(to_json(record))
    with pytest.raises(ganzoo.GanzooError, match="99"):
        train(run.folder, 4)


def test_garbage_among_the_checkpoints(run, caplog):
    (run.checkpoints / "step-99999999").write_text("what is this")
    (run.checkpoints / "step-zzz").mkdir()
    (run.checkpoints / ".staging-step-00000009-abc").mkdir()
    train(run.folder, 4)
    assert "checkpoint step-99999999 is damaged" in caplog.text
    assert checkpoints.newest(run.checkpoints).step == 4
    assert not list(run.checkpoints.glob(".staging*"))


def test_no_checkpoint_that_is_complete(run):
    for path in run.checkpoints.glob("step-*"):
        (path / "manifest.json").unlink()
    with pytest.raises(RunError, match="is complete; begin anew with --restart"):
        train(run.folder, 4)
    ganzoo.train(recipe(4), out=run.folder, device="cpu", restart=True)
    assert checkpoints.newest(run.checkpoints).step == 4


def test_a_log_that_was_deleted_or_cut_begins_again(run):
    run.log.unlink()
    train(run.folder, 6)
    assert [row["step"] for row in run.metrics()] == [6]


def test_a_log_that_a_crash_cut_within_a_line_loses_that_line_alone(tmp_path):
    run = Run(tmp_path / "run")
    train(run.folder, 3, **{"training.log_every": 4})
    os.truncate(run.log, run.log.stat().st_size - 10)
    assert [row["step"] for row in run.metrics()] == [1, 2]
    train(run.folder, 5, **{"training.log_every": 4})
    assert [row["step"] for row in run.metrics()] == [1, 2, 4, 5]
    assert run.health()["values"]


def test_a_log_that_is_not_there_for_a_while_costs_its_lines_alone(tmp_path, monkeypatch, caplog):
    run = Run(tmp_path / "run")
    original = Engine._step

    def step(self):
        original(self)
        if self.steps == 2:
            run.log.rename(run.folder / "away")
            run.log.mkdir()
        elif self.steps == 4:
            run.log.rmdir()
            (run.folder / "away").rename(run.log)

    monkeypatch.setattr(Engine, "_step", step)
    train(run.folder, 5, **{"training.log_every": 4, "training.checkpoint_every": 400})
    assert [row["step"] for row in run.metrics()] == [1, 4, 5]
    assert caplog.text.count("a line of the log can't be written: Is a directory") == 2


def _without_room(folder):
    original = Engine._step

    def step(self):
        original(self)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))  # bytes of a file; Python ignores the signal

    Engine._step = step
    with pytest.raises(TrainingError, match="can't be written"):  # the last checkpoint
        train(folder, 2, **{"training.sample_every": 4, "training.log_every": 4})
    run = Run(folder)
    report.write(run)
    return health.examine(run, resolve(recipe(2)), run.model().networks, {}), run.health()


def test_no_room_leaves_no_half_written_grid_report_and_page(tmp_path):
    run = Run(tmp_path / "run")
    (found,) = together(1, _without_room, run.folder)
    assert found == ({"values": {}, "findings": []}, {})
    assert run.metrics() == []
    assert list(run.samples.glob("[0-9]*")) == []
    assert (run.folder / "report.html").read_text().endswith("</html>\n"), "the page of the first checkpoint"


def test_no_space_at_the_very_start(tmp_path, monkeypatch):
    FullDisk(monkeypatch, tmp_path / "run" / "checkpoints", 6)
    with pytest.raises(TrainingError, match=r"checkpoint 0 can't be written \(No space left on device\); make room"):
        train(tmp_path / "run", 3)


def test_too_little_space_is_found_before_anything_is_written(tmp_path, monkeypatch):
    room = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: room._replace(free=2**20))
    with pytest.raises(
        TrainingError, match=r"checkpoint 0 can't be written \(1 MiB are free, and a checkpoint wants 13\)"
    ) as refused:
        ganzoo.train(ganzoo.recipe("gan-mnist"), out=tmp_path / "run", device="cpu")
    assert refused.value.exit_code == 3
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


def test_no_space_for_the_model_at_the_end(tmp_path, monkeypatch):
    original = saving.Saver.save

    def save(self, must=False):
        saved = original(self, must)
        if must:
            FullDisk(monkeypatch, tmp_path / "run", 0)
        return saved

    with monkeypatch.context() as patched:
        patched.setattr(saving.Saver, "save", save)
        with pytest.raises(
            TrainingError, match=r"exports/step-00000003' can't be written: No space .*; make room there"
        ) as failed:
            train(tmp_path / "run", 3)
    assert failed.value.exit_code == 3
    monkeypatch.undo()
    train(tmp_path / "run", 3)
    assert Run(tmp_path / "run").newest_export().name == "step-00000003"


def test_another_reason_why_the_model_is_not_written_asks_for_no_room(run):
    (run.exports / "step-00000004").mkdir()
    (run.exports / "step-00000004" / "notes.txt").write_text("mine")
    with pytest.raises(TrainingError, match=r"no model folder that can be replaced \(notes.txt\); choose another$"):
        train(run.folder, 4)


def _as_somebody_else(whole, folder):
    train(whole, 1)  # which imports everything
    if os.geteuid() == 0:  # who may write anywhere
        os.seteuid(65534)
    train(folder, 4)


@pytest.mark.skipif(
    os.geteuid() == 0 and not all(p.stat().st_mode & stat.S_IXOTH for p in Path(ganzoo.__file__).resolve().parents),
    reason="it takes somebody who isn't root, and the code lies where others may not look",
)
def test_a_read_only_folder(tmp_path):
    with tempfile.TemporaryDirectory() as place:  # one that others may look into, as they may not into tmp_path
        Path(place).chmod(0o555)
        (refused,) = together(1, _as_somebody_else, tmp_path / "whole", Path(place) / "run")
    assert (refused.kind, refused.exit_code) == ("RunError", 2)
    assert refused.message == f"the run folder {place + '/run'!r} can't be written: Permission denied"


def test_a_folder_that_another_process_trains_in_and_a_lock_that_nobody_holds(run):
    with run.locked(), pytest.raises(RunError, match="another process is training in"):
        train(run.folder, 4)
    assert (run.folder / ".lock").is_file()  # it stays, and says nothing: the system holds the lock
    train(run.folder, 4)


def test_two_processes_in_one_folder_and_the_lock_of_one_that_was_killed(tmp_path):
    run = Run(tmp_path / "run")
    first = start(train, run.folder, 10**6)
    try:
        while checkpoints.newest(run.checkpoints) is None:
            assert first.is_alive()
            time.sleep(0.01)
        with pytest.raises(RunError, match="another process is training in") as refused:
            train(run.folder, 10**6)
        assert refused.value.exit_code == 2
    finally:
        first.kill()
        first.join()
    assert (run.folder / ".lock").is_file()
    steps = checkpoints.newest(run.checkpoints).step + 2
    train(run.folder, steps)
    assert checkpoints.newest(run.checkpoints).step == steps


def test_many_processes_without_the_same_folder(tmp_path):
    """The main process finds a checkpoint that the other one can't read, as on a node without the shared disk."""
    train(tmp_path / "run", 3)
    results = together(2, _elsewhere, tmp_path / "run", tmp_path / "other")
    assert all(isinstance(result, Failed) and result.exit_code == 2 for result in results)
    assert all("all processes need the same run folder" in result.message for result in results)


def _elsewhere(folder, other):
    if os.environ["RANK"] == "1":
        shutil.copytree(folder, other)
        shutil.rmtree(other / "checkpoints")
        folder = other
    ganzoo.train(recipe(6), out=folder, device="cpu", allow_world_size_change=True)
