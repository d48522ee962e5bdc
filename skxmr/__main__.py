"""Entry point of ``python -m skxmr``."""

import sys

from skxmr.cli import main

if __name__ == "__main__":
    sys.exit(main())
