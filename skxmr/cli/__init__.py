"""Command line: train on a file, predict and evaluate."""

from skxmr.cli._commands import main

__all__ = ["main"]
