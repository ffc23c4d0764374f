"""`python -m ganzoo`, and so `torchrun -m ganzoo train ...`."""

from ganzoo.cli import main

main()
