"""The book's pages, not in the paper: run the notebooks that are stale, publish what they show."""
