from skxmr._core.types cimport index_t, uint64_t
from skxmr._linear.compact_rows cimport Cluster
from skxmr._linear.solver_state cimport Objective, SolverState


cdef int refine_group(const Cluster* c, SolverState* s, const Objective* objective, int group_size,
                      double tol, int max_iter, uint64_t* rng, index_t* n_unsolved) except -1 nogil
