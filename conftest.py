"""Keeps tests and doctests off the modules whose packages are not installed."""

from importlib.util import find_spec

if find_spec("torch") is None or find_spec("transformers") is None:
    collect_ignore_glob = [
        "skxmr/transformer/*",
        "skxmr/persistence/_transformer_kinds.py",
        "tests/transformer/*",
    ]
