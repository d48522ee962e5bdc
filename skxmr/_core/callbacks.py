"""Support of scikit-learn's callbacks, which exist from version 1.9 on."""

from contextlib import contextmanager

from skxmr._core.progress import Listener, Printer, Progress

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:
        """Empty replacement for scikit-learn's mixin."""


class CallbackNotifier(Listener):
    """Notify scikit-learn's callbacks of the progress of a fit.

    The tasks below the fit are: one task per stage ("label features", "tree"), and one task
    "training" per tree. Below "training" is one task "level" per level, and below this the tasks
    "clusters" in which the clusters of the level are trained.

    Parameters
    ----------
    estimator : estimator
        Estimator that is fitted.
    context : CallbackContext
        Callback context of the fit.
    """

    def __init__(self, estimator, context):
        self.estimator = estimator
        self.context = context
        self._tree_context = None
        self._level_contexts = {}

    def on_stage_end(self, name, result, seconds):
        """Begin and end the task of a stage; omit stages that run between the levels of a tree."""
        if self._tree_context is None:
            self._end(self._begin(self.context, name))

    def on_tree_begin(self, number, n_trees, n_levels):
        """Begin the task of a tree."""
        self._tree_context = self._begin(self.context, "training", max_subtasks=n_levels)

    def on_levels_begin(self, levels, n_tasks):
        """Begin the task of each level."""
        for level, max_subtasks in zip(levels, n_tasks, strict=True):
            self._level_contexts[level] = self._begin(self._tree_context, "level", max_subtasks)

    def on_task_end(self, level, timing):
        """Begin and end a task of a level."""
        self._end(self._begin(self._level_contexts[level], "clusters"))

    def on_level_end(self, level, timing):
        """End the task of a level."""
        self._end(self._level_contexts.pop(level))

    def on_tree_end(self):
        """End the task of a tree."""
        self._end(self._tree_context)
        self._tree_context = None

    def _begin(self, parent, name, max_subtasks=0):
        context = parent.subcontext(task_name=name, max_subtasks=max_subtasks)
        return context.call_on_fit_task_begin(estimator=self.estimator)

    def _end(self, context):
        # The return value requests an early stop. It is ignored: a tree without its last levels or
        # clusters cannot predict.
        context.call_on_fit_task_end(estimator=self.estimator)


@contextmanager
def report_progress(estimator, X, y):
    """Yield the `Progress` of a fit, which notifies `verbose` output and scikit-learn's callbacks.

    The estimator must be fitted when the block ends.

    Parameters
    ----------
    estimator : XRLinearClassifier
        Estimator that is fitted.
    X, y : object
        Training data, passed to the callbacks.
    """
    listeners = []
    if estimator.verbose:
        listeners.append(Printer(type(estimator).__name__, estimator.verbose))
    if not hasattr(estimator, "_init_callback_context"):
        yield Progress(listeners)
        return
    # One task for the label features, and two per tree: it is built, then trained.
    context = estimator._init_callback_context(max_subtasks=1 + 2 * estimator.n_trees)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    if hasattr(estimator, "_skl_callbacks"):
        listeners.append(CallbackNotifier(estimator, context))
    yield Progress(listeners)

    def get_fitted_attributes():
        callback_prefixes = ("_skl", "_callback", "_parent_callback")
        parameters = estimator.get_params(deep=False)
        return {
            name: value
            for name, value in vars(estimator).items()
            if name not in parameters and not name.startswith(callback_prefixes)
        }

    context.call_on_fit_task_end(
        estimator=estimator, X=X, y=y, reconstruction_attributes=get_fitted_attributes
    )
