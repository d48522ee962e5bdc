"""Define the Cython extensions; all metadata is in pyproject.toml.

Flags in the environment variable CFLAGS come last, so they win: `CFLAGS="-g -O0"` builds for a
debugger. A change of flags or of this file needs `build_ext --force`.
"""

import os
import shlex
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

# Code that runs once per row, feature or label.
KERNELS = [
    "skxmr._core._topk",
    "skxmr._core._transforms",
    "skxmr.indexing._aggregate",
    "skxmr.indexing._balanced_kmeans",
    "skxmr.linear._chunk",
    "skxmr.linear._compact_rows",
    "skxmr.linear._dual_solver",
    "skxmr.linear._lanes",
    "skxmr.linear._margins",
    "skxmr.linear._refine",
    "skxmr.linear._scoring",
    "skxmr.linear._solution",
]
# One pass over arrays: -O3 made them no faster, and takes longer to compile.
HELPERS = ["skxmr._core._csr", "skxmr._core._votes"]
# Cython's memoryviews, compiled once. Without this module each extension contains its own copy,
# and the C compiler takes three times as long.
MEMORYVIEWS = "skxmr._core._memoryviews"


def make_extension(name, level, suffix=".pyx"):
    """Return an extension compiled at an optimization level of GCC and Clang."""
    flags = [] if sys.platform == "win32" else [level, "-g0"]
    return Extension(
        name,
        [name.replace(".", "/") + suffix],
        include_dirs=["skxmr/linear"],
        depends=[str(path) for path in sorted(Path("skxmr/linear").glob("*.h"))],
        extra_compile_args=[*flags, *shlex.split(os.environ.get("CFLAGS", ""))],
    )


if __name__ == "__main__":  # Cython's worker processes import this file
    setup(
        ext_modules=cythonize(
            [
                make_extension(MEMORYVIEWS, "-O2", ".c"),  # first: it takes the longest
                *(make_extension(name, "-O3") for name in KERNELS),
                *(make_extension(name, "-O2") for name in HELPERS),
            ],
            shared_utility_qualified_name=MEMORYVIEWS,
            nthreads=os.cpu_count(),
            compiler_directives={
                "language_level": 3,
                "boundscheck": False,
                "wraparound": False,
                "cdivision": True,
                "initializedcheck": False,
                # See tests/test_threads.py.
                "freethreading_compatible": True,
            },
        ),
        options={"build_ext": {"parallel": True}},
    )
