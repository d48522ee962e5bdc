"""Select the instruction set of the SIMD kernels, for training and scoring together.

The default is the best one that the processor supports. The environment variable SKXMR_SIMD
selects another one at import: "avx512", "avx2" or "baseline".
"""

import os

from skxmr._linear.simd.lanes cimport lane_kernels


cdef extern from "lane_kernels.h" nogil:
    const lane_kernels* find_lane_kernels(const char*)


cdef const lane_kernels* SELECTED = NULL


cdef const lane_kernels* get_lane_kernels() noexcept nogil:
    return SELECTED


def use_simd(name):
    """Select an instruction set by name, or the best supported one if the name is empty."""
    global SELECTED
    cdef const lane_kernels* kernels = find_lane_kernels(name.encode())
    if kernels == NULL:
        raise ValueError(
            "SKXMR_SIMD must be 'avx512' or 'avx2' if the processor supports it, 'baseline' or "
            f"empty; got {name!r}. Leave it empty to use the best supported instruction set."
        )
    SELECTED = kernels


def simd_in_use():
    """Return the name of the selected instruction set."""
    return SELECTED.name.decode()


use_simd(os.environ.get("SKXMR_SIMD", ""))
