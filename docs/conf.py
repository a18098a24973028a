"""How the documentation is built: `make docs`, offline, with warnings as errors."""

import os

from seedmap._version import __version__

project = "seedmap"
author = "The seedmap developers"
copyright = "2026, The seedmap developers"
release = __version__
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "api.md"]
nitpicky = False

# Pages are MyST Markdown; a heading can be linked to as page.md#its-words.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The reference grows out of the docstrings. Types stand in the signatures already, and
# members of a class are listed by autosummary, so numpydoc need not list them again.
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

# Links into other projects' pages need the network, and a build must work without it:
# the workflow that publishes the site sets this variable.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "nibabel": ("https://nipy.org/nibabel", None),
        "nilearn": ("https://nilearn.github.io/stable", None),
    }
    if os.environ.get("SEEDMAP_DOCS_INTERSPHINX")
    else {}
)

html_theme = "pydata_sphinx_theme"
html_title = "seedmap"
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}
html_show_sourcelink = False
