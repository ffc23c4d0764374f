"""What was measured, a JSON file each, so that a run can be resumed and the page made of what is there."""

import datetime
import json
import os
import platform
import re
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Of this moment: processor, versions, date and load."""
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return {
        "cpu": f"{os.cpu_count()} x {cpu[1].strip() if cpu else platform.processor()}",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": round(os.getloadavg()[0], 1),
    }


def write(name: str, measured: dict[str, Any]) -> None:
    """`machine()` of before the measurement belongs into it; the load of after is added."""
    FOLDER.mkdir(exist_ok=True)
    measured["machine"]["load_after"] = round(os.getloadavg()[0], 1)
    path = FOLDER / f"{name}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(_rounded(measured), indent=1) + "\n")
    part.replace(path)


def read(name: str) -> dict[str, Any] | None:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value
