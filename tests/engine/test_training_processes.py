"""Whole trainings by several real processes: what fails on one of them ends, or turns back, all."""

import hashlib
import os
from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo.engine.checkpoint import newest
from ganzoo.engine.loop import Engine
from ganzoo.errors import TrainingError
from ganzoo.registry import registry
from ganzoo.run import Run
from tests.engine.many import together
from tests.support import tiny


def train(recipe, out, patch=None, **options):
    """Train with all processes; a digest of what each one holds at the end."""
    if patch is not None:
        patch()
    seen = []
    original = Engine._finish

    def finish(self):
        original(self)
        seen.append(self)

    Engine._finish = finish
    ganzoo.train(recipe, out=out, device="cpu", **options)
    (engine,) = seen
    digest = hashlib.sha256()
    states = [net.state_dict() for net in (*engine.networks.values(), engine.strategy)]
    for state in [*states, *(average.network.state_dict() for average in engine.averages.values())]:
        for value in state.values():
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest(), engine.steps, engine.attempt, engine.stepper.accumulate


def state_that_fails_on_one_rank():
    kind = registry().get("strategy", "began")
    original = kind.after_step

    def after_step(self, means):
        if self.progress.step == 2 and os.environ["RANK"] == "1":
            raise ValueError("no room")
        original(self, means)

    kind.after_step = after_step


def test_state_that_fails_on_one_process_ends_all_though_a_grid_is_due(tmp_path):
    recipe = tiny("began-mnist", **{"training.images": 32, "training.sample_every": 4})
    results = together(2, train, recipe, tmp_path / "run", state_that_fails_on_one_rank)
    assert {result.kind for result in results} == {"ValueError", "TrainingError"}


def not_a_number_on_one_rank():
    original = Engine._step

    def step(self):
        if self.steps == 3 and self.attempt == 0 and self.processes.rank == 1:
            next(self.networks["discriminator"].parameters()).data[0].fill_(float("nan"))
        original(self)

    Engine._step = step


def test_batch_norm_gives_identical_ranks_and_a_nan_on_one_rank_sends_all_back(tmp_path):
    recipe = tiny("dcgan-mnist", **{"training.images": 32, "training.log_every": 16})
    first, second = together(2, train, recipe, tmp_path / "run", not_a_number_on_one_rank)
    assert first == second
    assert first[1:] == (8, 1, 1)
    report = tmp_path / "run" / "diverged" / "step-00000004-attempt-1.json"
    assert '"networks": "discriminator"' in report.read_text()
    assert all(
        v.isfinite().all() for v in newest(tmp_path / "run" / "checkpoints").tensors("networks/generator").values()
    )


def out_of_memory_on_one_rank():
    original = Engine._step

    def step(self):
        if self.steps == 3 and self.processes.rank == 1 and self.stepper.accumulate == 1:
            self.stepper.read = _exhausted
        elif self.processes.rank == 1:
            self.stepper.read = self.kept = getattr(self, "kept", self.stepper.read)
        original(self)

    Engine._step = step


def _exhausted(*_):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_out_of_memory_on_one_process_gives_smaller_micro_batches_on_all(tmp_path):
    recipe = tiny("gan-mnist", **{"training.images": 32})
    first, second = together(2, train, recipe, tmp_path / "run", out_of_memory_on_one_rank)
    assert first == second
    assert first[1:] == (8, 0, 2)
    assert newest(tmp_path / "run" / "checkpoints").manifest["accumulate"] == 2


def test_out_of_memory_with_nothing_left_to_cut_ends_with_exit_code_3(tmp_path):
    """Alone too: four images are cut to micro-batches of two, then of one, and then it is said."""

    def always(self):
        self.stepper.read = _exhausted
        original(self)

    original, Engine._step = Engine._step, always
    try:
        with pytest.raises(
            TrainingError, match=r"out of memory in step 0, .* can't be shared by 1 processes x 8"
        ) as failed:
            ganzoo.train(tiny("gan-mnist"), out=tmp_path / "run", device="cpu")
    finally:
        Engine._step = original
    assert failed.value.exit_code == 3


def test_resuming_with_other_processes_needs_the_flag_and_goes_on(tmp_path):
    recipe = tiny("gan-mnist", **{"training.images": 16, "training.accumulate": 2})
    together(2, train, recipe, tmp_path / "run")
    more = recipe.changed({"training.images": 32})
    (refused,) = together(1, train, more, tmp_path / "run")
    assert "trained by 2 processes and now there are 1; start as many, or allow it with" in refused.message
    assert refused.exit_code == 2
    (alone,) = together(1, _train_on, more.changed({"training.accumulate": 4}), tmp_path / "run")
    assert alone[1] == 8
    (whole,) = together(1, train, more.changed({"training.accumulate": 4}), tmp_path / "whole")
    assert whole[1] == 8
    saved, other = (newest(tmp_path / f / "checkpoints").tensors("networks/generator") for f in ("run", "whole"))
    for name, value in other.items():  # the same shards: the same training up to rounding
        torch.testing.assert_close(saved[name], value, rtol=1e-4, atol=1e-6)


def test_another_product_of_processes_and_micro_batches_is_said_to_be_another_training(tmp_path, caplog):
    recipe = tiny("gan-mnist", **{"training.images": 16, "training.accumulate": 2})
    together(2, train, recipe, tmp_path / "run")
    more = recipe.changed({"training.images": 32, "training.accumulate": 1})
    steps = _train_on(more, tmp_path / "run")[1]
    assert steps == 8
    assert (
        "going on with 1 x 1 instead of 2 x 2 processes x micro-batches: another order of noise, so another training"
        in caplog.text
    )
    rows = Run(tmp_path / "run").metrics()
    assert [row["images"] for row in rows] == sorted({row["images"] for row in rows})


def _train_on(recipe, out):
    return train(recipe, out, allow_world_size_change=True)


class Watcher:
    """A plugin that notes what it is told."""

    def __init__(self):
        self.told = []

    @ganzoo.hookimpl
    def ganzoo_training_started(self, run):
        self.told.append("started")

    @ganzoo.hookimpl
    def ganzoo_metrics_logged(self, run, step, metrics):
        self.told.append(step)

    @ganzoo.hookimpl
    def ganzoo_training_finished(self, run):
        self.told.append("finished")


def watched(recipe, out):
    watcher = Watcher()
    registry().manager.register(watcher)
    ganzoo.train(recipe, out=out, device="cpu")
    return watcher.told


def test_observers_are_told_by_the_main_process_alone(tmp_path):
    recipe = tiny("gan-mnist", **{"training.images": 16, "training.log_every": 8})
    assert together(2, watched, recipe, tmp_path / "run") == [["started", 2, 4, "finished"], []]


def test_a_mistake_is_found_by_all_and_nobody_waits(tmp_path):
    for kind, broken in {
        "there is no dataset": {"data.name": "nothing"},
        "divisible": {"training.batch_size": 3},
    }.items():
        results = together(2, train, tiny("gan-mnist").changed(broken), tmp_path / "run")
        assert [r.exit_code for r in results] == [2, 2]
        assert any(kind in r.message or "can't be shared" in r.message for r in results)
    assert not Path(tmp_path / "run" / "metrics.jsonl").exists()
