"""Which instruction set the kernels of `lane_kernels.h` use: one choice for training and scoring.

The environment variable SKXMR_SIMD names the one to start with: "avx512", "avx2" or "baseline".
"""

import os

from skxmr._linear.simd.lanes cimport lane_kernels


cdef extern from "lane_kernels.h" nogil:
    const lane_kernels* find_lane_kernels(const char*)


cdef const lane_kernels* SELECTED = NULL


cdef const lane_kernels* selected_lanes() noexcept nogil:
    return SELECTED


def use_simd(name):
    """Use an instruction set by name, or the processor's best if the name is empty."""
    global SELECTED
    cdef const lane_kernels* kernels = find_lane_kernels(name.encode())
    if kernels == NULL:
        raise ValueError(
            f"SKXMR_SIMD={name!r} is not to be had here; it must be 'avx512' or 'avx2', on x86-64 "
            "processors that have it, 'baseline' or empty."
        )
    SELECTED = kernels


def simd_in_use():
    """Return the name of the instruction set in use."""
    return SELECTED.name.decode()


use_simd(os.environ.get("SKXMR_SIMD", ""))
