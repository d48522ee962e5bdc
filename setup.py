"""The table of Cython extensions; all metadata is in pyproject.toml."""

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

EXTENSIONS = [
    "skxmr._core._csr",
    "skxmr._core._topk",
    "skxmr._core._transforms",
    "skxmr._core._votes",
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

setup(
    ext_modules=cythonize(
        [
            Extension(
                name,
                [name.replace(".", "/") + ".pyx"],
                include_dirs=["skxmr/linear"],
                depends=[str(path) for path in sorted(Path("skxmr/linear").glob("*.h"))],
                extra_compile_args=[] if sys.platform == "win32" else ["-O3"],
            )
            for name in EXTENSIONS
        ],
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
    )
)
