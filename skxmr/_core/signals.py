"""Delay the exceptions of signal handlers, for example KeyboardInterrupt, during short steps."""

import signal
import threading
import time

from skxmr._core.interrupts import replace_handlers, restore_handlers

# After an exception of a handler inside `run`, signals are deferred for this time. Then the
# interrupted function has caught the exception and continues, so signals interrupt it again.
SECONDS_TO_STOP = 1.0


class DeferredSignals:
    """Call the Python handlers of signals only at the end of the block.

    A handler can raise an exception after any instruction: KeyboardInterrupt, SystemExit of a
    handler of SIGTERM, or an error of a timer. Steps that must all happen or none, such as
    renaming a folder and removing the old one, are put into such a block. Longer work inside the
    block is done with `run`, which can be interrupted.

    Outside of the main thread, Python calls no handlers, and nothing is changed.

    Examples
    --------
    >>> with DeferredSignals() as signals:
    ...     total = signals.run(sum, [1, 2])  # Ctrl-C stops this call
    ...     print(total)  # Ctrl-C takes effect after the block
    3
    """

    def __init__(self):
        self._handlers = {}
        self._pending = {}  # frame of the last signal of each kind that has arrived
        self._is_running = False
        self._interrupted_at = None  # time of the exception that interrupted `run`
        self._interrupt = None  # this exception
        self._is_over = False

    def __enter__(self):
        """Replace the handlers."""
        if threading.current_thread() is threading.main_thread():
            found = {number: signal.getsignal(number) for number in signal.valid_signals()}
            self._handlers = {n: handler for n, handler in found.items() if callable(handler)}
            try:
                replace_handlers(self._handlers, self._handle)
            except BaseException:  # of a handler that was not yet replaced
                self._end()
                raise
        return self

    def __exit__(self, *_):
        """Restore the handlers, and call those whose signal has arrived."""
        try:
            restore_handlers(self._handlers, self._handle)
        finally:
            self._end()

    def run(self, function, *args):
        """Return ``function(*args)``, which signals can interrupt.

        After an exception of a handler, signals are deferred again, so that a second Ctrl-C does
        not interrupt the cleanup. If the cleanup raises an error, the exception of the handler is
        still raised.
        """
        self._interrupted_at = None
        self._is_running = True
        try:
            self._call_pending()
            return function(*args)
        except Exception:  # for example of a zip file that was interrupted while it was closed
            if self._interrupt is not None and self._is_stopping():
                raise self._interrupt  # noqa: B904 - the error is its context
            raise
        finally:
            self._is_running = False
            self._interrupt = None

    def _handle(self, number, frame):
        if not self._is_over and (not self._is_running or self._is_stopping()):
            self._pending[number] = frame
            return
        self._interrupted_at = time.monotonic()
        try:
            self._handlers[number](number, frame)
        except BaseException as error:
            self._interrupt = error
            raise
        self._interrupted_at = None
        self._call_pending()

    def _is_stopping(self):
        started_at = self._interrupted_at
        return started_at is not None and time.monotonic() - started_at < SECONDS_TO_STOP

    def _end(self):
        self._is_over = True
        self._call_pending()

    def _call_pending(self):
        while self._pending:
            number, frame = self._pending.popitem()
            try:
                self._handlers[number](number, frame)
            finally:
                self._call_pending()
