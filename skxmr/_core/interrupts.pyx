"""Stop long kernels: after a signal such as Ctrl-C, or because another thread was interrupted.

Python calls the handlers of signals only in the main thread, between two instructions. A kernel is
one instruction, so it asks for pending signals itself. The other threads of the same call have a
common flag, which is set when one of them is interrupted.
"""

from cpython.exc cimport PyErr_CheckSignals

cdef extern from *:
    """
    #ifdef _MSC_VER
    #include <windows.h>
    #define SKXMR_THREAD_LOCAL __declspec(thread)
    #define SKXMR_LOAD(flag) (*(volatile const int *)(flag))
    #define SKXMR_STORE(flag, value) (*(volatile int *)(flag) = (value))
    static long long skxmr_milliseconds(void) { return (long long)GetTickCount64(); }
    #else
    #include <time.h>
    #define SKXMR_THREAD_LOCAL __thread
    #define SKXMR_LOAD(flag) __atomic_load_n(flag, __ATOMIC_RELAXED)
    #define SKXMR_STORE(flag, value) __atomic_store_n(flag, value, __ATOMIC_RELAXED)
    static long long skxmr_milliseconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    }
    #endif
    struct skxmr_flag {
        int is_set;
        const struct skxmr_flag *outer;
    };
    static SKXMR_THREAD_LOCAL const struct skxmr_flag *skxmr_thread_flag = 0;
    static SKXMR_THREAD_LOCAL long long skxmr_last_check = 0;
    """
    struct Flag "skxmr_flag":
        int is_set
        const Flag* outer   # flag of the thread that created this one, or NULL
    const Flag* thread_flag "skxmr_thread_flag"    # of this thread, or NULL
    long long last_check "skxmr_last_check"        # of signals by this thread, in milliseconds
    int load "SKXMR_LOAD" (const int* flag) nogil
    void store "SKXMR_STORE" (int* flag, int value) nogil
    long long get_milliseconds "skxmr_milliseconds" () nogil


# To ask for signals takes the GIL, so kernels that run in several threads wait for each other.
cdef long long MILLISECONDS_BETWEEN_CHECKS = 50


cdef int check_interrupt() except -1 nogil:
    global last_check
    cdef const Flag* flag = thread_flag
    cdef long long now
    while flag != NULL:
        if load(&flag.is_set):
            with gil:
                raise KeyboardInterrupt
        flag = flag.outer
    now = get_milliseconds()
    if now - last_check < MILLISECONDS_BETWEEN_CHECKS:
        return 0
    last_check = now
    with gil:
        PyErr_CheckSignals()
    return 0


cdef class StopFlag:
    """A flag that stops the kernels of several threads.

    If the thread that creates the flag has a flag itself, that one stops these threads, too.
    """

    cdef Flag flag

    def __init__(self):
        self.flag.is_set = 0
        self.flag.outer = thread_flag

    def set(self):
        """Let the kernels in all threads that use the flag raise KeyboardInterrupt."""
        store(&self.flag.is_set, 1)

    def run(self, function):
        """Call ``function()`` in this thread, and let the flag stop its kernels."""
        global thread_flag
        cdef const Flag* previous = thread_flag
        thread_flag = &self.flag
        try:
            return function()
        finally:
            thread_flag = previous
