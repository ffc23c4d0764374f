"""A value that isn't finite: no update, a report, back to the last good checkpoint, and at last an end."""

import json

import pytest

import ganzoo
from ganzoo.engine.checkpoint import newest
from ganzoo.engine.loop import Engine
from ganzoo.errors import TrainingError
from ganzoo.run import Run
from tests.support import tiny


def recipe(**more):
    return tiny("gan-mnist", **{"training.images": 32, "training.log_every": 8, "training.checkpoint_every": 8, **more})


def breaking(monkeypatch, attempts):
    """In the fourth step of so many attempts a weight of the generator is no number."""
    original = Engine._step

    def step(self):
        if self.steps == 3 and self.attempt < attempts:
            next(self.networks["generator"].parameters()).data[0].fill_(float("nan"))
        original(self)

    monkeypatch.setattr(Engine, "_step", step)


def test_it_goes_back_with_other_noise_and_says_where_it_was(tmp_path, monkeypatch, caplog):
    breaking(monkeypatch, attempts=1)
    run = ganzoo.train(recipe(), out=tmp_path / "run", device="cpu")
    # the generator's pictures are the discriminator's input, so its update is the first that shows it
    what = "step 4, update 0 gave a loss or gradient of discriminator that is not finite"
    assert f"{what}; going back to step 2 with other noise (attempt 1)" in caplog.text
    report = json.loads((run.folder / "diverged" / "step-00000004-attempt-1.json").read_text())
    assert (report["step"], report["update"], report["networks"]) == (4, 0, "discriminator")
    assert report["weights"]["generator"]["not_finite"]
    assert not report["weights"]["discriminator"]["not_finite"], "the bad update moved nothing"
    assert report["before"]["discriminator/loss"]
    assert [row["step"] for row in run.metrics()] == [2, 4, 6, 8]
    assert newest(run.checkpoints).manifest["attempt"] == 1


def test_going_back_between_two_lines_of_the_log_writes_none(tmp_path, monkeypatch):
    """The values that the checkpoint holds belong to the next line."""
    breaking(monkeypatch, attempts=1)
    intervals = {"training.log_every": 16, "training.checkpoint_every": 8, "training.images": 32}
    run = ganzoo.train(recipe(**intervals), out=tmp_path / "run", device="cpu")
    assert (run.folder / "diverged" / "step-00000004-attempt-1.json").is_file()
    assert [row["step"] for row in run.metrics()] == [4, 8]


def test_steps_that_go_bad_now_and_then_do_not_end_a_run(tmp_path, monkeypatch, caplog):
    """Each is mended, and a checkpoint is written before the next."""
    original, bad = Engine._step, [3, 5, 7, 9, 11]

    def step(self):
        if self.steps in bad:
            bad.remove(self.steps)
            next(self.networks["generator"].parameters()).data[0].fill_(float("nan"))
        original(self)

    monkeypatch.setattr(Engine, "_step", step)
    run = ganzoo.train(recipe(**{"training.images": 64}), out=tmp_path / "run", device="cpu")
    assert [row["step"] for row in run.metrics()] == list(range(2, 18, 2))
    assert "going back to step 10 with other noise (attempt 5)" in caplog.text


@pytest.mark.parametrize("log_every", [8, 32])  # what is bad shows when a line is due, or only when a checkpoint is
def test_what_diverges_each_time_ends_with_exit_code_3_and_keeps_what_was_good(log_every, tmp_path, monkeypatch):
    breaking(monkeypatch, attempts=100)
    with pytest.raises(
        TrainingError,
        match=r"training diverged: step 4, update 0 gave .* of discriminator that is not finite, the last of 4 such "
        r"steps since the checkpoint of step 2; lower training\.optimizer\.lr, or set clip_norm",
    ) as failed:
        ganzoo.train(recipe(**{"training.log_every": log_every}), out=tmp_path / "run", device="cpu")
    assert failed.value.exit_code == 3
    run = Run(tmp_path / "run")
    assert len(list((run.folder / "diverged").iterdir())) == 4
    saved = newest(run.checkpoints)
    assert saved.step == 2
    states = [saved.tensors(f"networks/{name}") for name in ("generator", "discriminator")]
    assert all(value.isfinite().all() for state in states for value in state.values())
    monkeypatch.undo()
    again = recipe(**{"training.log_every": log_every})
    assert newest(ganzoo.train(again, out=run.folder, device="cpu").checkpoints).step == 8
