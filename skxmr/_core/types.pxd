# Integer types of all kernels: 32 bits for the numbers of features, labels, nodes and rows, 64 bits
# for positions in the arrays of a sparse matrix.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

ctypedef int32_t index_t
ctypedef int64_t offset_t
