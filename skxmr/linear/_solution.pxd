from skxmr._core.types cimport index_t, offset_t, uint16_t
from skxmr.linear._compact_rows cimport Cluster
from skxmr.linear._lanes cimport sweep_bounds


cdef struct Solution:
    # Work space for the children of one cluster, some lanes at a time.
    int lanes                  # children side by side: LANES or FEW_LANES
    void* block                # the one allocation behind the aligned arrays
    float* intercepts          # (lanes)
    float* weights             # (n_shared, lanes), straight after the intercepts
    float* duals               # (n_rows, lanes)
    sweep_bounds* bounds
    uint16_t* positive         # (n_rows) lanes whose child the row is positive for
    uint16_t* active           # (n_rows) lanes that have not shrunk the row
    index_t* order             # (n_rows) rows of a sweep, shuffled
    float* diagonal            # (n_rows) folded squares plus ridge
    float* inverse             # (n_rows) 1 / (squared norm plus ridge)
    float* total               # (n_shared) sum of the rows
    float* with_total          # (n_rows) its products with the rows
    float* sum                 # (n_shared) 0 between steps
    double total_norm          # its squared norm
    double total_diagonal      # sum of the diagonals


cdef bint make_room(const Cluster* c, Solution* s, double C) noexcept nogil
cdef void start_lanes(const Cluster* c, Solution* s, const index_t[::1] rows,
                      const offset_t[::1] child_indptr, const index_t[::1] child_rows,
                      const index_t* children, int n_lanes) noexcept nogil
cdef void release_room(Solution* s) noexcept nogil
