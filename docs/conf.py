"""How the documentation is built: `make docs`, offline, with warnings as errors."""

import os
import sys
from pathlib import Path

from seedmap._version import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

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
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "_ext", "gallery/*.ipynb", "gallery/*.py"]
nitpicky = False
default_role = "autolink"

# Pages are MyST Markdown; a heading can be linked to as page.md#its-words.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The reference grows out of the docstrings. Types stand in the signatures already, and
# members of a class are listed by autosummary, so numpydoc need not list them again.
autosummary_generate = True
autosummary_imported_members = True
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
        "matplotlib": ("https://matplotlib.org/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "nibabel": ("https://nipy.org/nibabel", None),
        "nilearn": ("https://nilearn.github.io/stable", None),
    }
    if os.environ.get("SEEDMAP_DOCS_INTERSPHINX")
    else {}
)

# The launch links lead to the repository that builds the site; a fork's lead to the fork. There
# `binder/` makes the environment and the notebooks.
owner, repository = os.environ.get("GITHUB_REPOSITORY", "seedmap/seedmap").split("/", 1)

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("matplotlib", "figure_scraper"),
    "image_srcset": ["2x"],
    "ignore_repr_types": r"matplotlib|nilearn",
    "show_memory": True,
    "remove_config_comments": True,
    "write_computation_times": False,
    # A figure made without pyplot shows in a notebook once this has run.
    "first_notebook_cell": "%matplotlib inline",
    "doc_module": ("seedmap",),
    "prefer_full_module": {"seedmap"},
    "backreferences_dir": "generated/backreferences",
    "binder": {
        "org": owner,
        "repo": repository,
        "branch": "main",
        "binderhub_url": "https://mybinder.org",
        "dependencies": ["../binder/requirements.txt"],
        "notebooks_dir": "notebooks",
        "use_jupyter_lab": True,
    },
}

html_theme = "pydata_sphinx_theme"
html_title = "seedmap"
html_static_path = ["_static"]
html_css_files = ["seedmap.css"]
html_favicon = "_static/seedmap.svg"
html_theme_options = {
    "logo": {
        "image_light": "_static/seedmap.svg",
        "image_dark": "_static/seedmap.svg",
        "text": "seedmap",
    },
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_prev_next": False,
    "show_toc_level": 2,
    # Code of the gallery needs the width.
    "secondary_sidebar_items": {
        "[!g]*": ["page-toc"],
        "generated/*": ["page-toc"],
        "gallery/*": [],
        "index": [],
    },
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "start": [], "changes": []}
html_context = {"default_mode": "auto"}  # dark where the reader's screen is
html_show_sourcelink = False
