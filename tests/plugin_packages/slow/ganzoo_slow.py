"""Takes its time to be imported."""

import time

from ganzoo import hookimpl

time.sleep(1.5)


@hookimpl
def ganzoo_losses():
    return {"slow": "ganzoo_vanilla.losses:Hinge"}
