# Seeded random integers for the kernels: xorshift64* (Vigna 2016, "An experimental exploration
# of Marsaglia's xorshift generators, scrambled"). State is one word, so each task has its own.
from skxmr._core.types cimport index_t, uint32_t, uint64_t


cdef inline uint64_t random_state(uint64_t seed) noexcept nogil:
    # splitmix64: spreads consecutive seeds over the state space; 0 is the one state to avoid.
    seed += <uint64_t>0x9E3779B97F4A7C15
    seed = (seed ^ (seed >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    seed = (seed ^ (seed >> 27)) * <uint64_t>0x94D049BB133111EB
    seed ^= seed >> 31
    return seed if seed != 0 else 1


cdef inline index_t random_below(uint64_t* state, index_t bound) noexcept nogil:
    # Multiply and shift (Lemire 2019); the bias is at most bound / 2**32, of no matter here.
    state[0] ^= state[0] >> 12
    state[0] ^= state[0] << 25
    state[0] ^= state[0] >> 27
    cdef uint64_t word = (state[0] * <uint64_t>0x2545F4914F6CDD1D) >> 32
    return <index_t>((word * <uint64_t>bound) >> 32)
