# Stop long kernels: after a signal such as Ctrl-C, or because another thread was interrupted.
from skxmr._core.types cimport index_t

# Number of rows that a kernel processes between two calls of `check_interrupt`: less than a
# millisecond for sparse rows, 0.3 seconds for dense rows with 30,000 features. A call takes about
# 25 nanoseconds.
cdef enum:
    ROWS_PER_CHECK = 1024

# Raise the exception of a signal handler in the main thread, and KeyboardInterrupt in other threads
# whose `StopFlag` is set.
cdef int check_interrupt() except -1 nogil


cdef inline int count_rows(index_t* counter, index_t n_rows) except -1 nogil:
    # Call `check_interrupt` when the sum of `n_rows` in the counter reaches ROWS_PER_CHECK.
    counter[0] += n_rows
    if counter[0] < ROWS_PER_CHECK:
        return 0
    counter[0] = 0
    return check_interrupt()
