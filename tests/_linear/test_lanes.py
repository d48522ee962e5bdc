import os
import subprocess
import sys

import pytest

from skxmr._linear.simd.lanes import simd_in_use, use_simd


def test_an_instruction_set_that_is_none_is_refused():
    before = simd_in_use()
    with pytest.raises(ValueError, match="SKXMR_SIMD='sse9' .* 'baseline' or empty"):
        use_simd("sse9")
    assert simd_in_use() == before


@pytest.mark.slow(reason="starts processes")
def test_the_environment_chooses(simd):
    code = "from skxmr._linear.simd.lanes import simd_in_use; print(simd_in_use())"
    environment = {**os.environ, "SKXMR_SIMD": simd}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == simd
