from skxmr._core.types cimport index_t, offset_t, uint16_t
from skxmr._linear.compact_rows cimport Cluster
from skxmr._linear.simd.lanes cimport gradient_bounds, row_terms


cdef struct Objective:
    # Loss and costs of errors. The cost of an error on row i is C * row_costs[i]; if the row is
    # a positive of the child, also * positive_weight * target_costs[entry of (row, child)].
    int loss                         # SQUARED_HINGE, HINGE or LOGISTIC_LOSS
    double C
    double positive_weight
    const float* row_costs           # (n_samples), or NULL for 1
    const float* target_costs        # same order as the positive rows of all children, or NULL


cdef struct SolverState:
    # Variables of the dual problems of one group of children, and buffers. Allocated once per
    # cluster and used for one group after another.
    int n_lanes                      # lanes per row of `weights` and `duals`: LANES or FEW_LANES
    void* allocation                 # memory behind the aligned arrays
    float* intercepts                # (n_lanes)
    float* weights                   # (n_shared, n_lanes), directly after the intercepts
    float* duals                     # (n_rows, n_lanes)
    gradient_bounds* bounds
    uint16_t* positive               # (n_rows) bitmask: lanes for which the row is positive
    uint16_t* unsettled              # (n_rows) bitmask: lanes whose next sweep visits the row
    index_t* order                   # (n_rows) rows to visit; before: positive rows of one child
    offset_t* target_entries         # (n_rows) entries of these positive rows in the targets
    row_terms* terms                 # (n_rows)
    float* row_weights               # (n_rows) row_costs of the rows of the cluster
    # Costs of the rows whose cost is not terms[row].cost in all lanes, and the position of each row
    # in this table; -1 for other rows, NULL if there are only other rows.
    float* lane_costs                # (n such rows, n_lanes)
    index_t* lane_costs_index        # (n_rows)
    offset_t lane_costs_capacity
    # For the initial duals. r_i are the row weights, x_i the rows over the shared features.
    float* row_sum                   # (n_shared) sum of r_i x_i
    float* products_with_sum         # (n_rows) x_i . row_sum
    float* positive_sum              # (n_shared) buffer, 0 between calls
    double sum_squared_norm          # |row_sum|^2
    double total_row_weight          # sum of r_i
    double total_diagonal            # sum of r_i^2 * get_initial_diagonal(i)


cdef inline const float* get_lane_costs(const SolverState* s, index_t i) noexcept nogil:
    # Return the costs of a row per lane, or NULL if all lanes have the cost s.terms[i].cost.
    if s.lane_costs_index == NULL or s.lane_costs_index[i] < 0:
        return NULL
    return &s.lane_costs[<offset_t>s.lane_costs_index[i] * s.n_lanes]


cdef bint allocate_state(const Cluster* c, SolverState* s, const Objective* objective,
                         const index_t[::1] rows) noexcept nogil
cdef bint initialize_group(const Cluster* c, SolverState* s, const Objective* objective,
                           const index_t[::1] rows, const offset_t[::1] child_indptr,
                           const index_t[::1] child_rows, const index_t* children,
                           int group_size) noexcept nogil
cdef void convert_logits_to_duals(const Cluster* c, SolverState* s,
                                  const Objective* objective) noexcept nogil
cdef void release_state(SolverState* s) noexcept nogil
