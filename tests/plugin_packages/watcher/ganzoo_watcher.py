"""An observer that fails each time it is told something."""

from ganzoo import hookimpl


@hookimpl
def ganzoo_metrics_logged(run, step, metrics):
    raise ConnectionError(f"nobody listens at step {step}")
