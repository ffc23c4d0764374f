"""A fresh environment with ganzoo and plugin packages installed by pip from wheels, as a person has them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ROOT / "tests" / "plugin_packages"


class Installed:
    """The environment: wheels built once, its own site-packages before the parent's, which lend torch and the rest."""

    def __init__(self, place, *projects):
        self.place = place
        self.bin = place / "venv" / "bin"
        _run(sys.executable, "-m", "venv", "--without-pip", place / "venv")
        self.install(ROOT, *projects)
        (site,) = (place / "venv").glob("lib/python*/site-packages")
        # a package that is installed for editing is found there too, and so is lent with its folder
        lent = [path for path in sys.path if path.endswith(("site-packages", "ganzoo_collections/src"))]
        (site / "lent.pth").write_text("\n".join(lent))  # after the installation, so pip sees ours alone

    def install(self, *projects):
        """Build wheels and install them; without a network, isolation or dependencies."""
        dist = self.place / f"dist-{projects[0].name}"
        quiet = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
        _run(sys.executable, "-m", "pip", "wheel", *quiet, "--no-build-isolation", "-w", dist, *projects)
        pip = (sys.executable, "-m", "pip", "--python", self.bin / "python", "install", "--force-reinstall")
        _run(*pip, *quiet, *sorted(dist.glob("*.whl")))

    def run(self, *command, plugins=None, cwd=None, **more):
        """Run `ganzoo ...` or another program of the environment; `plugins` are the only ones to load."""
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("GANZOO_", "PYTHON", "PYTEST"))}
        chosen = {} if plugins is None else {"GANZOO_PLUGINS": ",".join(plugins)}
        program, *arguments = map(str, command)
        return subprocess.run(
            [self.bin / program, *arguments],
            env=keep | {"OMP_NUM_THREADS": "1", "COLUMNS": "250", "NO_COLOR": "1"} | chosen | more,
            cwd=cwd or self.place,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def _run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
