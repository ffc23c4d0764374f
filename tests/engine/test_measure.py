"""A recipe may ask for metrics while it trains: they stand in the log, and the best checkpoint is kept."""

import pytest

import ganzoo
from ganzoo import GanzooError, Model
from ganzoo.engine import checkpoint
from ganzoo.evaluation.measure import evaluate_model

KEY = "measured/frechet-distance"


def recipe(images=1024, **measure):
    wanted = {"metrics": ["frechet-distance"], "every": 256, "count": 100} | measure
    return ganzoo.recipe("gan-mnist").changed(
        {"training.images": images, "training.batch_size": 64, "training.keep": 1, "training.measure": wanted}
    )


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_the_best_checkpoint_survives_and_its_export_has_the_measured_value(tmp_path):
    # a falling rate of learning that soon is none would keep the last the best; this one ruins what was learned
    run = ganzoo.train(recipe().changed({"training.optimizer.lr": 0.05}), out=tmp_path / "run", device="cpu")
    rows = [row for row in run.metrics() if KEY in row]
    assert [row["images"] for row in rows] == [256, 512, 768, 1024]
    best = min(rows, key=lambda row: row[KEY])
    kept = sorted(path.name for path in run.checkpoints.glob("step-*"))
    assert kept == sorted({f"step-{int(best['step']):08d}", "step-00000016"})
    assert checkpoint.read(run.checkpoints / f"step-{int(best['step']):08d}").step == best["step"]
    exported = Model.read(run.best_export(), device="cpu")
    again = evaluate_model(exported, ["frechet-distance"], seeds=(0,), count=100)["frechet-distance"]
    assert again.value == pytest.approx(best[KEY], rel=1e-3)  # stored in half precision


def test_measuring_changes_nothing_that_is_learned(tmp_path):
    measured = ganzoo.train(recipe(512), out=tmp_path / "a", device="cpu")
    tables = recipe(512).tables()
    tables["training"].pop("measure")
    plain = ganzoo.train(tables, out=tmp_path / "b", device="cpu")
    weights = [(run.newest_export() / "model.safetensors").read_bytes() for run in (measured, plain)]
    assert weights[0] == weights[1]


def test_a_run_that_goes_on_measures_on(tmp_path):
    ganzoo.train(recipe(512), out=tmp_path / "run", device="cpu")
    run = ganzoo.train(recipe(1024), out=tmp_path / "run", device="cpu")
    images = [row["images"] for row in run.metrics() if KEY in row]
    assert images == [256, 512, 768, 1024]


def test_a_metric_that_does_not_exist_is_said_before_training_starts(tmp_path):
    with pytest.raises(GanzooError, match=r"training.measure: there is no metric 'beauty'"):
        ganzoo.train(recipe(metrics=["beauty"]), out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "recipe.json").exists()


def test_a_count_too_small_for_a_metric_is_said_before_training_starts(tmp_path):
    with pytest.raises(GanzooError, match=r"metric 'precision,k=9' needs at least 10 pictures, and count is 9"):
        ganzoo.train(recipe(metrics=["frechet-distance", "precision,k=9"], count=9), out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "recipe.json").exists()


def test_training_goes_on_where_a_metric_cannot_be_measured(tmp_path, caplog):
    run = ganzoo.train(recipe(512, metrics=["label-accuracy"]), out=tmp_path / "run", device="cpu")
    said = [record.message for record in caplog.records if "can't be measured" in record.message]
    assert len(said) == 2
    assert all("metric 'label-accuracy' needs labels" in line for line in said)
    assert not any(name.startswith("measured/") for row in run.metrics() for name in row)
    assert run.newest_export().name == "step-00000008"


def test_a_run_without_measurements_has_no_best(tmp_path):
    with pytest.raises(GanzooError, match=r"add \[training.measure\]"):
        ganzoo.Run(tmp_path).best_export()
