from skxmr._core.types cimport index_t, uint64_t
from skxmr._linear.compact_rows cimport Cluster
from skxmr._linear.solution cimport Costs, Solution


cdef int refine_lanes(const Cluster* c, Solution* s, const Costs* costs, int n_lanes, double tol,
                      int max_iter, uint64_t* rng, index_t* n_unsolved) noexcept nogil
