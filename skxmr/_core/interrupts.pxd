# Stop long kernels: after a signal such as Ctrl-C, or because another thread was interrupted.
from skxmr._core.types cimport offset_t

# Number of array entries that a kernel processes between two calls of `check_interrupt`: a few
# milliseconds. A call takes about 25 nanoseconds.
cdef enum:
    ENTRIES_PER_CHECK = 1 << 18

# Raise the exception of a signal handler in the main thread, and KeyboardInterrupt in other threads
# whose `StopFlag` is set.
cdef int check_interrupt() except -1 nogil


cdef inline int count_entries(offset_t* counter, offset_t n_entries) except -1 nogil:
    # Call `check_interrupt` when the sum of `n_entries` in the counter reaches ENTRIES_PER_CHECK.
    counter[0] += n_entries
    if counter[0] < ENTRIES_PER_CHECK:
        return 0
    counter[0] = 0
    return check_interrupt()
