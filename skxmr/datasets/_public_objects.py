"""Documented public objects of numpy, scipy and scikit-learn, each with one canonical name."""

import importlib
import re
import types
import warnings

import numpy as np

# The namespaces of the three API references. They are listed explicitly, because a search of all
# modules would import test suites, deprecated modules (which warn) and switches such as
# sklearn.experimental.enable_* (which change the state of the process). Missing ones are skipped.
NAMESPACES = tuple(
    f"{package}.{name}".rstrip(".")
    for package, names in {
        "numpy": """
            . char ctypeslib dtypes exceptions fft lib lib.array_utils lib.format lib.introspect
            lib.mixins lib.npyio lib.recfunctions lib.scimath lib.stride_tricks linalg ma
            ma.mrecords polynomial polynomial.chebyshev polynomial.hermite polynomial.hermite_e
            polynomial.laguerre polynomial.legendre polynomial.polynomial polynomial.polyutils
            random rec strings testing typing""",
        "scipy": """
            . cluster.hierarchy cluster.vq constants datasets differentiate fft fftpack integrate
            interpolate io io.arff io.matlab io.wavfile linalg linalg.interpolative ndimage
            optimize optimize.elementwise signal signal.windows sparse sparse.csgraph
            sparse.linalg spatial spatial.distance spatial.transform special stats
            stats.contingency stats.mstats stats.qmc stats.sampling""",
        "sklearn": """
            . base calibration callback cluster compose covariance cross_decomposition datasets
            decomposition discriminant_analysis dummy ensemble exceptions feature_extraction
            feature_extraction.image feature_extraction.text feature_selection frozen
            gaussian_process gaussian_process.kernels impute inspection isotonic
            kernel_approximation kernel_ridge linear_model manifold metrics metrics.cluster
            metrics.pairwise mixture model_selection multiclass multioutput naive_bayes neighbors
            neural_network pipeline preprocessing random_projection semi_supervised svm tree
            utils utils.class_weight utils.discovery utils.extmath utils.graph
            utils.metadata_routing utils.metaestimators utils.multiclass utils.parallel
            utils.random utils.sparsefuncs utils.validation""",
    }.items()
    for name in names.split()
)

# These exist only after their sklearn.experimental switch was imported. They are excluded, so that
# the result does not depend on earlier imports.
_EXPERIMENTAL = {"HalvingGridSearchCV", "HalvingRandomSearchCV", "IterativeImputer"}
_UNDERLINE = re.compile(r"\n\s*-{3,}\s*\n")
_DEPRECATED = re.compile(r"\.\. (deprecated|versionremoved)::")


class PublicObjects:
    """Documented public objects, each with one canonical name.

    Attributes
    ----------
    docstrings : dict of str to str
        Docstring of each canonical name: functions, classes and other members of a namespace, and
        the methods that a class itself defines.
    methods : set of str
        Canonical names of the methods.
    namespaces : dict of str to str
        Docstring of each namespace that could be imported.
    aliases : dict of str to str
        Canonical name of each public name, including canonical names.
    """

    def __init__(self):
        self.docstrings, self.namespaces, self.aliases = {}, {}, {}
        self.methods = set()
        # Both dicts have ids as keys. `objects` keeps the objects alive, so that ids stay unique.
        objects, names_of = {}, {}
        with warnings.catch_warnings():
            # Deprecated members warn when they are accessed, which is irrelevant here.
            warnings.simplefilter("ignore")
            for namespace in NAMESPACES:
                module = _import_or_none(namespace)
                if module is None:
                    continue
                self.namespaces[namespace] = module.__doc__ or ""
                for name, obj in _list_members(module):
                    objects[id(obj)] = obj
                    names_of.setdefault(id(obj), []).append(f"{namespace}.{name}")
            for key, names in names_of.items():
                self._add(objects[key], names)
        self._by_last_name = {}
        for canonical in sorted(self.docstrings):
            package, last_name = canonical.partition(".")[0], canonical.rpartition(".")[2]
            self._by_last_name.setdefault((package, last_name), []).append(canonical)

    def _add(self, obj, names):
        canonical = min(names, key=lambda name: _canonical_name_key(name, obj))
        self.docstrings[canonical] = obj.__doc__
        self.aliases.update(dict.fromkeys(names, canonical))
        for method, docstring in _list_methods(obj):
            self.docstrings[f"{canonical}.{method}"] = docstring
            self.methods.add(f"{canonical}.{method}")
            for name in names:
                self.aliases[f"{name}.{method}"] = f"{canonical}.{method}"

    def resolve(self, name, within):
        """Return the canonical name for a name in a docstring, or None if it is not unique.

        Parameters
        ----------
        name : str
            Name as it is written in a See Also section: a full name, or a name relative to the
            namespace of the object or to an enclosing namespace. "np." is allowed as a prefix.
        within : str
            Canonical name of the object with this docstring.
        """
        name = name.strip().removesuffix("()")
        if name.startswith("np."):
            name = f"numpy.{name[3:]}"
        namespace = within
        while namespace:
            namespace = namespace.rpartition(".")[0]
            candidate = f"{namespace}.{name}" if namespace else name
            if candidate in self.aliases:
                return self.aliases[candidate]
        matches = self._by_last_name.get((within.partition(".")[0], name), [])
        return matches[0] if len(matches) == 1 else None


def _import_or_none(namespace):
    try:
        return importlib.import_module(namespace)
    except Exception:  # any error means that this version or installation lacks the module
        return None


def _list_members(module):
    """List tuples (name, object) of the members in ``__all__``, or defined in the module."""
    names = getattr(module, "__all__", None)
    is_all_missing = names is None
    members = []
    for name in sorted(dir(module) if is_all_missing else names):
        if name.startswith("_") or name in _EXPERIMENTAL:
            continue
        try:
            obj = getattr(module, name)
        except Exception:  # listed but missing; a module's __getattr__ can raise any error
            continue
        if is_all_missing and getattr(obj, "__module__", None) != module.__name__:
            continue
        if _is_documented(obj):
            members.append((name, obj))
    return members


def _is_documented(obj):
    if isinstance(obj, types.ModuleType) or not isinstance(obj.__doc__, str):
        return False
    # Skip deprecated objects. Below the first title, only a part of the object is deprecated.
    if _DEPRECATED.search(_UNDERLINE.split(obj.__doc__, maxsplit=1)[0]):
        return False
    if callable(obj):
        return True
    # Instances such as numpy.mgrid are documented. The docstring of a constant or an array is that
    # of its type.
    home = type(obj).__module__.partition(".")[0]
    return home in ("numpy", "scipy", "sklearn") and not isinstance(obj, np.generic | np.ndarray)


def _list_methods(obj):
    """List tuples (name, docstring) of the public methods that a class itself defines."""
    if not isinstance(obj, type):
        return []
    methods = []
    for name in sorted(vars(obj)):
        if name.startswith("_"):
            continue
        try:
            method = getattr(obj, name)
            docstring = method.__doc__
        except Exception:  # descriptors such as available_if can fail on a class
            continue
        if callable(method) and not isinstance(method, type) and isinstance(docstring, str):
            methods.append((name, docstring))
    return methods


def _canonical_name_key(name, obj):
    """Return a sort key for the public names of an object; the canonical name is first."""
    short_name = getattr(obj, "__name__", None)
    home = str(getattr(obj, "__module__", None) or "").partition(".")[0]
    return (
        name.partition(".")[0] != home,  # numpy.linalg.LinAlgError before scipy.linalg.LinAlgError
        name.rpartition(".")[2] != short_name,  # numpy.absolute before numpy.abs
        name.count("."),  # numpy.ma.sum before numpy.ma.core.sum
        len(name),
        name,
    )
