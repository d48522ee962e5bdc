"""Selection of the instruction set."""

import os
import subprocess
import sys

import pytest

from skxmr._linear.simd.lanes import simd_in_use, use_simd


def test_use_simd_rejects_unknown_names_and_keeps_the_selection():
    before = simd_in_use()
    with pytest.raises(ValueError, match=r"SKXMR_SIMD must be .* 'baseline' .* got 'sse9'"):
        use_simd("sse9")
    assert simd_in_use() == before


@pytest.mark.slow(reason="starts processes")
def test_environment_variable_selects_the_instruction_set(simd):
    code = "from skxmr._linear.simd.lanes import simd_in_use; print(simd_in_use())"
    environment = {**os.environ, "SKXMR_SIMD": simd}
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == simd
