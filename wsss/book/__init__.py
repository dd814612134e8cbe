"""The book's pages, not in the paper: run the notebooks that are stale, publish what they show."""

from wsss.book.runner import main, reproduce

__all__ = ["main", "reproduce"]
