"""Damaged data files: a result, or a ValueError with the name of the file."""

import pytest

from helpers import fuzz_data_files
from helpers.fuzz_limits import run_fuzzer

MANY = pytest.mark.slow(reason="the same with more seeds")


@pytest.mark.parametrize("n", [60, pytest.param(3000, marks=MANY)])
def test_damaged_files_raise_only_value_error(n):
    names = list(fuzz_data_files.FILES)
    counts = run_fuzzer(fuzz_data_files, 1000, n, names)
    for name, (refused, read) in zip(names, counts, strict=True):
        assert refused + read == n
        # Nearly everything is valid in a file of labels or texts.
        minimum = 1 if name in ("text.txt", "text.key") else n / 8
        assert refused >= minimum, name
