"""Stop long kernels: after a signal such as Ctrl-C, or because another thread was interrupted.

Python calls the handlers of signals only in the main thread, between two instructions. A kernel is
one instruction, so it asks for pending signals itself. The other threads of the same call have a
common flag, which is set when one of them is interrupted.
"""

import signal

from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport PyObject

cdef extern from *:
    """
    #ifdef _MSC_VER
    #define WIN32_LEAN_AND_MEAN
    #define NOMINMAX
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
        struct skxmr_flag *outer;
        PyObject *owner;
    };
    static SKXMR_THREAD_LOCAL struct skxmr_flag *skxmr_thread_flag = 0;
    static SKXMR_THREAD_LOCAL long long skxmr_last_check = 0;
    """
    struct Flag "skxmr_flag":
        int is_set
        Flag* outer         # flag of the thread that created this one, or NULL
        PyObject* owner     # StopFlag that contains this flag
    Flag* thread_flag "skxmr_thread_flag"          # of this thread, or NULL
    long long last_check "skxmr_last_check"        # of signals by this thread, in milliseconds
    int load "SKXMR_LOAD" (const int* flag) nogil
    void store "SKXMR_STORE" (int* flag, int value) nogil
    long long get_milliseconds "skxmr_milliseconds" () nogil


# To ask for signals takes the GIL, so kernels that run in several threads wait for each other.
cdef long long MILLISECONDS_BETWEEN_CHECKS = 50


class Stopped(KeyboardInterrupt):
    """A `StopFlag` has stopped a kernel; the cause is an error in another thread."""


cdef int check_interrupt() except -1 nogil:
    global last_check
    cdef Flag* flag = thread_flag
    cdef long long now
    while flag != NULL:
        if load(&flag.is_set):
            with gil:
                raise Stopped
        flag = flag.outer
    now = get_milliseconds()
    if now - last_check < MILLISECONDS_BETWEEN_CHECKS:
        return 0
    last_check = now
    with gil:
        try:
            PyErr_CheckSignals()
        except BaseException:
            flag = thread_flag
            while flag != NULL:
                store(&flag.is_set, 1)
                flag = flag.outer
            raise
    return 0


cdef class StopFlag:
    """A flag that stops the kernels of several threads.

    If the thread that creates the flag has a flag itself, the outer flag also stops these threads.
    An exception of a signal handler inside a kernel sets the flags of its thread.
    """

    cdef Flag flag
    cdef StopFlag outer  # keeps it alive

    def __init__(self):
        self.flag.is_set = 0
        self.flag.outer = thread_flag
        self.flag.owner = <PyObject*>self
        self.outer = None if thread_flag == NULL else <StopFlag>thread_flag.owner

    def set(self):
        """Let the kernels in all threads that use the flag raise `Stopped`."""
        store(&self.flag.is_set, 1)

    def run(self, function):
        """Call ``function()`` in this thread, and let the flag stop its kernels."""
        global thread_flag
        cdef Flag* previous = thread_flag
        thread_flag = &self.flag
        try:
            return function()
        finally:
            thread_flag = previous


# Python code can be interrupted between two instructions, so a loop over the handlers could stop in
# the middle. Compiled code is interrupted only inside of its calls.
def replace_handlers(dict handlers, ours):
    """Set the handler of several signals to `ours`; if a handler raises an error, restore all."""
    try:
        for number in handlers:
            signal.signal(number, ours)
    except BaseException:
        restore_handlers(handlers, ours)
        raise


def restore_handlers(dict handlers, ours):
    """Set the handlers of several signals, except for those that were replaced by others.

    All are restored, even if a handler raises an error; then the first error is raised.
    """
    error = None
    for number, handler in handlers.items():
        while True:
            try:
                if signal.getsignal(number) == ours:
                    signal.signal(number, handler)
                break
            except BaseException as raised:
                error = raised if error is None else error
    if error is not None:
        raise error
