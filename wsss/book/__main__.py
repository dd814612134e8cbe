"""``python -m wsss.book``: bring the pages up to date."""

import sys

from wsss.book.runner import main

if __name__ == "__main__":
    sys.exit(main())
