"""`ganzoo doctor`: what it finds, and what it says to do."""

import pytest

from ganzoo.doctor import examine
from tests.support import distribution, ganzoo_command

OFFLINE = {"HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def healthy():
    done = ganzoo_command("doctor", **OFFLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "words",
    [
        "ok ganzoo 0.1.0, Python 3.",
        "ok torch 2.",
        "of float32's time on this CPU; ",
        "torchvision",
        "HF_HUB_OFFLINE is set, so only cached models load; unset it to go online",
        "the cache of the Hub, ",
        "ok the current folder, ",
        "ok plugin 'vanilla' of torch-ganzoo 0.1.0",
        "onnx",
    ],
)
def test_it_looks_at_everything(healthy, words):
    assert words in healthy


def test_a_sick_plugin_is_said_with_what_to_do(tmp_path):
    hook = "from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_losses():\n    return {'%s': '%s'}\n"
    distribution(tmp_path, "ganzoo-late", "ganzoo_late", ganzoo_late=hook % ("late", "nowhere:Nothing"))
    distribution(tmp_path, "ganzoo-thief", "ganzoo_thief", ganzoo_thief=hook % ("hinge", "nowhere:Nothing"))
    distribution(tmp_path, "ganzoo-exits", "ganzoo_exits", ganzoo_exits="raise SystemExit(3)")
    slow = "import time\ntime.sleep(1.1)\n" + hook % ("slow", "ganzoo_vanilla.losses:Hinge")
    distribution(tmp_path, "ganzoo-slow", "ganzoo_slow", ganzoo_slow=slow)
    done = ganzoo_command("doctor", paths=[tmp_path], **OFFLINE)
    assert done.returncode == 1
    for words in (
        "wrong plugin 'exits' of ganzoo-exits 1.0 is skipped: SystemExit: 3; upgrade or uninstall it",
        "wrong loss 'late' of ganzoo-late 1.0 could not be imported: ModuleNotFoundError: No module named 'nowhere'; "
        "upgrade or uninstall it",
        "note plugin 'thief' of ganzoo-thief 1.0 may not have a name: loss 'hinge' belongs to torch-ganzoo",
        "note plugin 'slow' of ganzoo-slow 1.0 takes 1.1 s to import; tell its author",
        "ok plugin 'vanilla' of torch-ganzoo 0.1.0",
    ):
        assert words in done.stdout


def test_a_folder_that_cannot_be_written_and_a_full_disk_are_said(monkeypatch):
    import shutil

    monkeypatch.setattr("ganzoo.doctor.FREE", shutil.disk_usage("/").total * 2)
    full = [finding.words for finding in examine() if finding.state == "note"]
    assert any(
        "the current folder" in words and "which checkpoints may fill; train into another" in words for words in full
    )
    monkeypatch.setattr("os.access", lambda *_: False)
    wrong = [finding.words for finding in examine() if finding.state == "wrong"]
    assert any("the temporary folder" in words and "can't be written; set TMPDIR" in words for words in wrong)
