"""Delay the exceptions of signal handlers, for example KeyboardInterrupt, during short steps."""

import signal
import threading


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
        self._pending = []
        self._is_deferring = False

    def __enter__(self):
        """Replace the handlers."""
        if threading.current_thread() is threading.main_thread():
            found = {number: signal.getsignal(number) for number in signal.valid_signals()}
            self._handlers = {n: handler for n, handler in found.items() if callable(handler)}
            self._is_deferring = True
            try:
                for number in self._handlers:
                    signal.signal(number, self._handle)
            except BaseException:  # of a handler that was not yet replaced
                self._restore()
                raise
        return self

    def __exit__(self, *error):
        """Restore the handlers, and call those whose signal has arrived."""
        self._restore()
        self._call_pending()

    def run(self, function, *args):
        """Return ``function(*args)``, which signals can interrupt.

        After the first exception of a handler, signals are deferred again.
        """
        self._is_deferring = False
        try:
            self._call_pending()
            return function(*args)
        finally:
            self._is_deferring = bool(self._handlers)

    def _handle(self, number, frame):
        if self._is_deferring:
            self._pending.append((number, frame))
            return
        self._is_deferring = True  # at once: a second signal could interrupt the cleanup
        self._handlers[number](number, frame)
        self._is_deferring = False

    def _restore(self):
        try:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        finally:
            self._is_deferring = False

    def _call_pending(self):
        if self._pending:
            number, frame = self._pending.pop(0)
            try:
                self._handlers[number](number, frame)
            finally:
                self._call_pending()
