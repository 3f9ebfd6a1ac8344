"""Sphinx: ``make docs`` builds docs/_build/html, and a warning is an error."""

import inspect

from rnnstates import __version__

project = "rnnstates"
copyright = "the rnnstates authors"  # noqa: A001
release = version = __version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx_click"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"rnnstates {__version__}"
html_static_path = ["_static"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Types and shapes stand in the docstrings.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False


def without_annotations(_app, what, _name, described, _options, signature, returns):
    """Show the arguments of ``__init__`` where Keras hides them behind ``__new__(*args, **kwargs)``."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    found = inspect.signature(described.__init__)
    shown = [parameter.replace(annotation=parameter.empty) for parameter in list(found.parameters.values())[1:]]
    return str(inspect.Signature(shown)), returns


def setup(app):
    """Connect it."""
    app.connect("autodoc-process-signature", without_annotations)
