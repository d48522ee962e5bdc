"""Command line: train on a file, suggest, predict, evaluate and serve."""

from skxmr.cli._main import main

__all__ = ["main"]
