# The widths used by every kernel. Features, labels, nodes and rows are counted in 32 bits,
# positions inside the arrays of a sparse matrix in 64.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef int32_t index_t
ctypedef int64_t offset_t
