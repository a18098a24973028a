"""``python -m seedmap`` is the command line."""

import sys

from seedmap.cli import main

if __name__ == "__main__":
    sys.exit(main())
