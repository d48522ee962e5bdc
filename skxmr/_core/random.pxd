# Seeded random integers for the kernels: xorshift64*, Vigna (2016), "An experimental exploration of
# Marsaglia's xorshift generators, scrambled", ACM TOMS 42. The state is one integer, so each task
# can have its own.
from skxmr._core.types cimport index_t, uint32_t, uint64_t


cdef inline uint64_t make_random_state(uint64_t seed) noexcept nogil:
    # splitmix64: maps consecutive seeds to unrelated states. The state must not be 0.
    seed += <uint64_t>0x9E3779B97F4A7C15
    seed = (seed ^ (seed >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    seed = (seed ^ (seed >> 27)) * <uint64_t>0x94D049BB133111EB
    seed ^= seed >> 31
    return seed if seed != 0 else 1


cdef inline index_t draw_below(uint64_t* state, index_t bound) noexcept nogil:
    # Return a random integer in [0, bound) by multiplication and shift: Lemire (2019), "Fast random
    # integer generation in an interval", ACM TOMACS 29. The bias, at most bound / 2**32, is
    # negligible here.
    state[0] ^= state[0] >> 12
    state[0] ^= state[0] << 25
    state[0] ^= state[0] >> 27
    cdef uint64_t word = (state[0] * <uint64_t>0x2545F4914F6CDD1D) >> 32
    return <index_t>((word * <uint64_t>bound) >> 32)
