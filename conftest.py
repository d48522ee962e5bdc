"""Settings of all test runs: threads, random examples, slow tests, optional dependencies."""

import os
from importlib.util import find_spec

import pytest
from hypothesis import settings

# The tests run in one process per core, so threads of BLAS and OpenMP only wait for each other:
# they took 100 of 850 CPU seconds. Set before numpy is imported; child processes inherit it.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

# The time of an example depends on the machine. The quick profile always draws the same examples.
settings.register_profile("quick", max_examples=10, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=100, deadline=None)
settings.load_profile("quick")


def is_missing(*packages):
    return any(find_spec(name) is None for name in packages)


collect_ignore_glob = []
if is_missing("torch", "transformers"):
    collect_ignore_glob += [
        "skxmr/transformer/*",
        "skxmr/persistence/_transformer_codecs.py",
        "tests/transformer/*",
        "tests/helpers/fit_in_processes.py",
        "tests/helpers/fuzz_matcher_checkpoints.py",
    ]
if is_missing("uvicorn", "starlette", "prometheus_client"):
    collect_ignore_glob += ["skxmr/serving/*", "tests/serving/*"]


# Doctests cannot carry a marker.
SLOW_DOCTESTS = {"skxmr.datasets._api_docs.load_api_docs": "reads all docstrings"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark slow doctests, and require a reason for each slow test."""
    for item in items:
        if item.name in SLOW_DOCTESTS:
            item.add_marker(pytest.mark.slow(reason=SLOW_DOCTESTS[item.name]))
        for marker in item.iter_markers("slow"):
            if not marker.kwargs.get("reason"):
                raise pytest.UsageError(
                    f"marker slow must have a reason; got none in {item.nodeid}"
                )
