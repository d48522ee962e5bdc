"""scikit-learn's callbacks, where the installed version has them."""

from contextlib import contextmanager

from skxmr._core.progress import Listener, Printer, Progress

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn below 1.9

    class CallbackSupportMixin:
        """Stands for the mixin that is not there."""


class CallbackBridge(Listener):
    """Pass the progress of a fit on to the callbacks set on an estimator.

    The tasks that they see: below the fit a stage for the tree of labels, and one for the training
    of each tree; below that its levels, and below these the tasks that clusters are trained in.

    Parameters
    ----------
    estimator : estimator
        The one that is fitted.
    context : CallbackContext
        Of its fit.
    """

    def __init__(self, estimator, context):
        self.estimator = estimator
        self.context = context
        self._tree = None
        self._levels = {}

    def on_stage(self, name, seconds):
        """Report a stage, which had no steps; those between the levels of a tree are left out."""
        if self._tree is None:
            self._end(self._begin(self.context, name.partition(":")[0]))

    def on_tree(self, number, n_trees, n_levels):
        """Begin the training of a tree."""
        self._tree = self._begin(self.context, "training", max_subtasks=n_levels)

    def on_levels(self, sizes, n_parts):
        """Begin levels."""
        for size, n in zip(sizes, n_parts, strict=True):
            self._levels[size] = self._begin(self._tree, "level", max_subtasks=n)

    def on_part(self, size, share, seconds, rest):
        """Report a task of a level."""
        self._end(self._begin(self._levels[size], "clusters"))

    def on_level(self, size, seconds, rest):
        """End a level."""
        self._end(self._levels.pop(size))

    def on_tree_end(self):
        """End the training of a tree."""
        self._end(self._tree)
        self._tree = None

    def _begin(self, parent, name, max_subtasks=0):
        context = parent.subcontext(task_name=name, max_subtasks=max_subtasks)
        return context.call_on_fit_task_begin(estimator=self.estimator)

    def _end(self, context):
        # What the hooks return asks to stop early; what is trained here is wanted as a whole.
        context.call_on_fit_task_end(estimator=self.estimator)


@contextmanager
def report_progress(estimator, X, y):
    """Yield the `Progress` of a fit, for `verbose` and for the callbacks set on the estimator.

    The estimator must be fitted when the context ends.

    Parameters
    ----------
    estimator : XRLinearClassifier
        The one that is fitted.
    X, y : object
        What it is fitted on, for callbacks.
    """
    listeners = []
    if estimator.verbose:
        listeners.append(Printer(type(estimator).__name__, estimator.verbose))
    if not hasattr(estimator, "_init_callback_context"):
        yield Progress(listeners)
        return
    # Label features; then each tree is grown, and each is trained.
    context = estimator._init_callback_context(max_subtasks=1 + 2 * estimator.n_trees)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    if hasattr(estimator, "_skl_callbacks"):
        listeners.append(CallbackBridge(estimator, context))
    yield Progress(listeners)

    def fitted():
        private = ("_skl", "_callback", "_parent_callback")
        parameters = estimator.get_params(deep=False)
        return {
            name: value
            for name, value in vars(estimator).items()
            if name not in parameters and not name.startswith(private)
        }

    context.call_on_fit_task_end(estimator=estimator, X=X, y=y, reconstruction_attributes=fitted)
