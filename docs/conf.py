"""The documentation site: `python -m sphinx -W -n -b html docs build/docs`.

It is built without network. What links to other sites is checked where there is one:
`IMPBENCH_DOCS_ONLINE=1 python -m sphinx -W -n -b linkcheck docs build/links`. With that variable,
names of other packages in the Python reference lead to those packages' own pages, too.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import impbench

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
# The commands in the tutorials are those of the Python that builds the site, as wide as a page.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ["COLUMNS"] = "96"

project = "impbench"
author = "The impbench developers"
copyright = author
version = release = impbench.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.mermaid",
    "command_line",
]
exclude_patterns = ["images", "**/.ipynb_checkpoints"]

# Pages are read on GitHub as well: plain Markdown, links between files, anchors as GitHub's.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
mermaid_version = "11.12.0"
mermaid_fullscreen = False

# Tutorials are stored without output and run whenever the site is built; an error ends the build.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 90
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
autosummary_generate = False
default_role = "literal"
# Dashes only: quotes of commands are copied, so they stay as they are.
smartquotes_action = "D"

ONLINE = bool(os.environ.get("IMPBENCH_DOCS_ONLINE"))
intersphinx_mapping = (
    {
        "anndata": ("https://anndata.readthedocs.io/en/stable/", None),
        "matplotlib": ("https://matplotlib.org/stable/", None),
        "numpy": ("https://numpy.org/doc/stable/", None),
        "pandas": ("https://pandas.pydata.org/docs/", None),
        "python": ("https://docs.python.org/3/", None),
        "scipy": ("https://docs.scipy.org/doc/scipy/", None),
    }
    if ONLINE
    else {}
)
# Other packages' names lead somewhere with the network only; ours do always, but for these, which a
# public signature names and no user makes.
nitpick_ignore_regex = [("py:.*", r"(?!impbench\b).*")]
INNER = [
    "inspection.command.Choice",
    "plan.plan.Plan",
    "regress.decide.Evidence",
    "regress.measured.Runtime",
    "regress.runtime.Pace",
    "report.analysis.run.Run",
    "report.analysis.statistics.Comparison",
    "report.analysis.shown_metric.ShownMetric",
    "report.figures.palette.Look",
    "results.store.StoredRun",
    "runner.walls.Openings",
    "testing.subject.Subject",
]
nitpick_ignore = [("py:class", f"impbench.{name}") for name in INNER]

html_theme = "sphinx_book_theme"
html_title = f"impbench {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "navbar_persistent": [],
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": True,
    "use_fullscreen_button": False,
}
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True


def setup(app: Sphinx) -> None:
    """Make signatures of dataclasses readable: `<factory>` is no Python, so nothing would link."""

    def spell(*event: Any) -> tuple[str | None, str | None]:
        *_, arguments, returns = event
        return arguments and re.sub(r"<factory>|<lambda>", "...", arguments), returns

    app.connect("autodoc-process-signature", spell)
