"""The command, `python -m ganzoo`, and so `torchrun -m ganzoo train ...`."""

import os

from ganzoo.interrupts import leaving_at_once


def main() -> None:
    """Run the command line; a Ctrl-C that comes before it is imported ends quietly too."""
    try:
        with leaving_at_once():
            from ganzoo.cli import main as run
        run()
    except KeyboardInterrupt:
        os._exit(130)  # half imported modules may not survive an orderly end


if __name__ == "__main__":
    main()
