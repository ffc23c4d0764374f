"""The contract kit for plugin authors: `pytest --ganzoo-plugin NAME`, or `check_plugin(NAME)` in a test.

Your plugin's parts pass what ganzoo's own must pass. A check that fails says in one sentence what is wrong and how to
mend it. Importing this module imports torch; the pytest plugin does so only when it is asked.
"""

from ganzoo.testing import (  # noqa: F401  (their checks)
    architectures,
    common,
    datasets,
    exactness,
    features,
    losses,
    metrics,
    recipes,
    regularizers,
    stored,
    strategies,
)
from ganzoo.testing.contract import Check, Fault, NotRun, Subject, check, check_plugin, checks_of
from ganzoo.testing.losses import closed_form
from ganzoo.testing.smallest import smallest

__all__ = ["Check", "Fault", "NotRun", "Subject", "check", "check_plugin", "checks_of", "closed_form", "smallest"]
