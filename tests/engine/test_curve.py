"""The curve over training: a row for each checkpoint that was kept, measured as its model would be."""

import ganzoo
from ganzoo.engine.curve import curve, main
from tests.support import tiny


def test_each_checkpoint_is_measured(tmp_path):
    recipe = tiny("cgan-mnist").changed({"training.images": 12, "training.checkpoint_every": 4, "training.keep": 9})
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu")
    rows = list(curve(run, ["duplicates"], count=20))
    assert [row["images"] for row in rows] == [0, 4, 8, 12]
    assert all(0 <= row["duplicates"] <= 1 for row in rows)


def test_it_asks_for_a_run(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["curve"])
    assert main() == 2
    assert "name a run" in capsys.readouterr().err
