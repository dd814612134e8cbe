"""``python -m wsss`` is the command ``wsss``."""

from wsss.cli import main

main()
