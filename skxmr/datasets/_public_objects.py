"""The documented public objects of numpy, scipy and scikit-learn under one name each."""

import importlib
import re
import types
import warnings

import numpy as np

# The namespaces of the three API references. They are listed, not walked: a walk would import
# test suites, deprecated shims (which warn) and switches such as sklearn.experimental.enable_*
# (which change the state of the process). One that is missing is skipped.
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

# Found only if somebody has imported their sklearn.experimental switch: left out, so that the
# result does not depend on that.
_EXPERIMENTAL = {"HalvingGridSearchCV", "HalvingRandomSearchCV", "IterativeImputer"}
_UNDERLINE = re.compile(r"\n\s*-{3,}\s*\n")
_DEPRECATED = re.compile(r"\.\. (deprecated|versionremoved)::")


class PublicObjects:
    """Documented public objects, each under one canonical name.

    Attributes
    ----------
    docstrings : dict of str to str
        Canonical name -> docstring, for functions, classes and other members of a namespace and
        for the methods that a class itself defines.
    methods : set of str
        Canonical names of the methods.
    namespaces : dict of str to str
        Name -> docstring of the namespaces that could be imported.
    aliases : dict of str to str
        Every public name found, canonical names included -> canonical name.
    """

    def __init__(self):
        self.docstrings, self.namespaces, self.aliases = {}, {}, {}
        self.methods = set()
        objects, names_of = {}, {}  # by id; objects are kept alive so that an id stays its own
        with warnings.catch_warnings():
            # Deprecated members warn when they are looked up; nobody is using them here.
            warnings.simplefilter("ignore")
            for namespace in NAMESPACES:
                module = _import(namespace)
                if module is None:
                    continue
                self.namespaces[namespace] = module.__doc__ or ""
                for name, obj in _members(module):
                    objects[id(obj)] = obj
                    names_of.setdefault(id(obj), []).append(f"{namespace}.{name}")
            for key, names in names_of.items():
                self._add(objects[key], names)
        self._by_last_name = {}
        for canonical in sorted(self.docstrings):
            package, last_name = canonical.partition(".")[0], canonical.rpartition(".")[2]
            self._by_last_name.setdefault((package, last_name), []).append(canonical)

    def _add(self, obj, names):
        canonical = min(names, key=lambda name: _rank(name, obj))
        self.docstrings[canonical] = obj.__doc__
        self.aliases.update(dict.fromkeys(names, canonical))
        for method, docstring in _methods(obj):
            self.docstrings[f"{canonical}.{method}"] = docstring
            self.methods.add(f"{canonical}.{method}")
            for name in names:
                self.aliases[f"{name}.{method}"] = f"{canonical}.{method}"

    def resolve(self, name, within):
        """Find the object that a docstring means by a name.

        Parameters
        ----------
        name : str
            As written in a See Also section: a full name, a name in the namespace of the
            docstring's object or in one around it, with or without a leading "np.".
        within : str
            Canonical name of the object whose docstring it is.

        Returns
        -------
        str or None
            Canonical name; None if no public object, or more than one, can be meant.
        """
        name = name.strip().removesuffix("()")
        if name.startswith("np."):
            name = f"numpy.{name[3:]}"
        around = within
        while around:
            around = around.rpartition(".")[0]
            candidate = f"{around}.{name}" if around else name
            if candidate in self.aliases:
                return self.aliases[candidate]
        alone = self._by_last_name.get((within.partition(".")[0], name), [])
        return alone[0] if len(alone) == 1 else None


def _import(namespace):
    try:
        return importlib.import_module(namespace)
    except Exception:  # a part that this version or installation lacks; whatever it raises
        return None


def _members(module):
    """List (name, object) of a namespace: what its ``__all__`` says, or what it defines."""
    names = getattr(module, "__all__", None)
    own_only = names is None
    members = []
    for name in sorted(dir(module) if own_only else names):
        if name.startswith("_") or name in _EXPERIMENTAL:
            continue
        try:
            obj = getattr(module, name)
        except Exception:  # listed but not there; modules with __getattr__ raise what they like
            continue
        if own_only and getattr(obj, "__module__", None) != module.__name__:
            continue
        if _is_documented(obj):
            members.append((name, obj))
    return members


def _is_documented(obj):
    if isinstance(obj, types.ModuleType) or not isinstance(obj.__doc__, str):
        return False
    # Nobody should be sent to what is deprecated. (Below the first title it is only a part.)
    if _DEPRECATED.search(_UNDERLINE.split(obj.__doc__, maxsplit=1)[0]):
        return False
    if callable(obj):
        return True
    # numpy.mgrid and its like are instances; constants and arrays document only their type.
    home = type(obj).__module__.partition(".")[0]
    return home in ("numpy", "scipy", "sklearn") and not isinstance(obj, np.generic | np.ndarray)


def _methods(obj):
    """List (name, docstring) of the public methods that a class itself defines."""
    if not isinstance(obj, type):
        return []
    methods = []
    for name in sorted(vars(obj)):
        if name.startswith("_"):
            continue
        try:
            method = getattr(obj, name)
            docstring = method.__doc__
        except Exception:  # available_if and other descriptors may refuse the class
            continue
        if callable(method) and not isinstance(method, type) and isinstance(docstring, str):
            methods.append((name, docstring))
    return methods


def _rank(name, obj):
    """Sort key of the public names of an object, the canonical one first."""
    own_name = getattr(obj, "__name__", None)
    home = str(getattr(obj, "__module__", None) or "").partition(".")[0]
    return (
        name.partition(".")[0] != home,  # scipy.linalg.LinAlgError is numpy's
        name.rpartition(".")[2] != own_name,  # numpy.abs is numpy.absolute
        name.count("."),  # numpy.ma.core.sum is numpy.ma.sum
        len(name),
        name,
    )
