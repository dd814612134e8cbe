"""Images are read by several threads at once, as in a worker of a cluster."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from wsss.stages import Images, Scenes, Store


def test_headers_are_read_by_one_thread_at_a_time(tmp_path, monkeypatch):
    """Python 3.11.7 raises SystemError if two threads parse and garbage is collected meanwhile."""
    store, images = Store(tmp_path), Images(source=Scenes(train=2, val=1, pilot=1), split="train")
    store.ensure(images)
    real, parsing = np.load, threading.Lock()

    def load(*arguments):
        assert parsing.acquire(blocking=False), "two at once"
        time.sleep(0.01)
        found = real(*arguments)
        parsing.release()
        return found

    monkeypatch.setattr(np, "load", load)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: images.load(store).present.tolist(), range(8)))
    assert found == [found[0]] * 8
