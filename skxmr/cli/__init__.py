"""The command line: train on a file, predict, evaluate."""

from skxmr.cli._commands import main

__all__ = ["main"]
