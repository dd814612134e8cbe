"""Kernels are compiled where neither code nor home can be written, as in containers with -u."""

import subprocess
import sys
from pathlib import Path

from wsss.crf import cache

PROGRAM = """
import os
os.access = lambda *_, **__: False
from wsss.crf import lattice
print(lattice._embed.stats.cache_path)
"""


def test_a_process_that_can_write_nowhere_has_a_folder_of_its_own_and_removes_it():
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert "wsss-numba-" in found.stdout, found.stderr
    assert not Path(found.stdout.strip()).parent.exists()


def test_where_code_or_home_can_be_written_nothing_changes(monkeypatch):
    monkeypatch.setattr(cache.config, "CACHE_DIR", "")
    cache.keep_somewhere()
    assert cache.config.CACHE_DIR == ""
