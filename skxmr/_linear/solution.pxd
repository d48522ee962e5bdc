from skxmr._core.types cimport index_t, offset_t, uint16_t
from skxmr._linear.compact_rows cimport Cluster
from skxmr._linear.simd.lanes cimport row_terms, sweep_bounds


cdef struct Costs:
    # What errors cost.
    int loss                   # SQUARED_HINGE, HINGE or LOGISTIC_LOSS
    double C
    double positive            # times this where the row is positive
    const float* rows          # (n_samples) and times the row's weight, or NULL
    const float* targets       # and the weight of (row, child), as the child's rows lie; or NULL


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
    row_terms* terms           # (n_rows)
    float* share               # (n_rows) weight of the row: 1 if it has none
    index_t* mixed             # (n_rows) where the row's costs by lane lie, or -1 if all are alike
    float* costs               # (n mixed rows, lanes)
    offset_t costs_capacity
    offset_t* entry            # (n_rows) of the positives of a child: where its targets have them
    float* total               # (n_shared) sum of the rows by share
    float* with_total          # (n_rows) its products with the rows
    float* sum                 # (n_shared) 0 between steps
    double total_norm          # its squared norm
    double total_share         # sum of the shares
    double total_diagonal      # sum of the start's diagonals by squared share


cdef bint make_room(const Cluster* c, Solution* s, const Costs* costs,
                    const index_t[::1] rows) noexcept nogil
cdef bint start_lanes(const Cluster* c, Solution* s, const Costs* costs, const index_t[::1] rows,
                      const offset_t[::1] child_indptr, const index_t[::1] child_rows,
                      const index_t* children, int n_lanes) noexcept nogil
cdef const float* costs_of(const Solution* s, index_t i) noexcept nogil
cdef void finish_lanes(const Cluster* c, Solution* s, const Costs* costs) noexcept nogil
cdef void release_room(Solution* s) noexcept nogil
