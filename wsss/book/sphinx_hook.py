"""Sphinx hook: a bare ``jupyter-book build book`` runs what is stale, and is strict."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from wsss.book.runner import reproduce
from wsss.errors import InputError

log = logging.getLogger(__name__)


def prepare(app: Sphinx, config: Config) -> None:
    """Bring the pages up to date; what fails becomes a warning, so the other pages are built."""
    source = Path(app.srcdir)
    try:
        if not reproduce(source.parent):
            log.warning("a notebook failed, see above", type="wsss", subtype="notebook")
    except InputError as error:
        log.warning("%s", error, type="wsss", subtype="notebook")
    config.wsss_pages = [
        (source / "_toc.yml").read_text(encoding="utf-8"),
        *sorted(page.name for page in source.glob("notebooks/*.ipynb")),
    ]


def hide_buttons(app: Sphinx, config: Config) -> None:
    """Show no button that opens a notebook elsewhere: without a repository's address it fails."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("launch_buttons", None)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hook and make every warning end the build with status 1, after the last page."""
    app.keep_going = True
    # Every page shows the list of all; Sphinx alone would write only the pages that changed.
    app.add_config_value("wsss_pages", [], "html")
    app.connect("config-inited", prepare)
    app.connect("config-inited", hide_buttons)
    # To look for garbage in the trees of all pages takes a tenth of the time; it would free
    # 150 MB, which the build keeps instead.
    app.connect("builder-inited", lambda _: gc.disable())
    app.connect("build-finished", lambda *_: gc.enable())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
