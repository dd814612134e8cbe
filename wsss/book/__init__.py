"""The book's engine room, not in the paper: run the notebooks that are stale, publish the pages."""

from wsss.book.command import main, reproduce
from wsss.book.keys import code_hash, folder_fingerprint, notebook_key
from wsss.book.pages import publish_notebook
from wsss.book.running import NotebookResult, run_notebooks

__all__ = [
    "NotebookResult",
    "code_hash",
    "folder_fingerprint",
    "main",
    "notebook_key",
    "publish_notebook",
    "reproduce",
    "run_notebooks",
]
