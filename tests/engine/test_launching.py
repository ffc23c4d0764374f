"""Accelerate's launcher as people call it. (torchrun is started in test_signals.py.)"""

import subprocess
import sys

import pytest

from ganzoo.engine.checkpoint import newest
from ganzoo.run import Run
from tests.support import environment


# the module, since the `accelerate` command imports timm, and so torchvision, which a CPU build of torch may not suit
@pytest.mark.parametrize(
    ("options", "processes"), [pytest.param(["--cpu"], 1, marks=pytest.mark.prove), (["--multi_gpu"], 2)]
)
def test_accelerate_launch_trains(options, processes, tmp_path):
    run = Run(tmp_path / "run")
    command = [sys.executable, "-m", "accelerate.commands.launch", *options, "--num_processes", str(processes)]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command += ["-m", "ganzoo", "train", "gan-mnist", "--out", str(run.folder), "--device", "cpu"]
    for setting in ("architecture.width=4", "training.batch_size=4", "training.images=16"):
        command += ["--set", setting]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    saved = newest(run.checkpoints)
    assert (saved.step, saved.manifest["world_size"]) == (4, processes)
    assert run.newest_export().is_dir()
