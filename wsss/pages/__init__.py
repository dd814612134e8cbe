"""What a page shows: tables, verdicts, pictures, and where its numbers are from."""
