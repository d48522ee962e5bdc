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
    "skxmr._core.bit_packing",
    "skxmr._core.row_search",
    "skxmr._core.topk",
    "skxmr._core.transforms",
    "skxmr.calibration._label_choice",
    "skxmr.indexing._aggregate",
    "skxmr.indexing._balanced_kmeans",
    "skxmr._linear.chunk",
    "skxmr._linear.compact_rows",
    "skxmr._linear.dual_solver",
    "skxmr._linear.simd.lanes",
    "skxmr._linear.margins",
    "skxmr._linear.node_filter",
    "skxmr._linear.refine",
    "skxmr._linear.scoring",
    "skxmr._linear.solver_state",
    "skxmr.text._ngrams",
    "skxmr.text._term_table",
]
# One pass over arrays: -O3 made them no faster, and takes longer to compile.
HELPERS = [
    "skxmr._core.csr",
    "skxmr._core.interrupts",
    "skxmr._core.votes",
    "skxmr._linear.fingerprints",
]
# Cython's memoryviews, compiled once. Without this module each extension contains its own copy,
# and the C compiler takes three times as long.
MEMORYVIEWS = "skxmr._core.memoryviews"


def make_extension(name, level, suffix=".pyx"):
    """Return an extension compiled at an optimization level of GCC and Clang."""
    flags = [] if sys.platform == "win32" else [level, "-g0"]
    return Extension(
        name,
        [name.replace(".", "/") + suffix],
        include_dirs=["skxmr/_linear/simd"],
        depends=[str(path) for path in sorted(Path("skxmr/_linear/simd").glob("*.h"))],
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
                # See tests/xr_linear/test_threads.py.
                "freethreading_compatible": True,
            },
        ),
        options={"build_ext": {"parallel": True}},
    )
