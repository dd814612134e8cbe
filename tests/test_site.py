"""The built site in a real browser: nothing from outside, nothing broken, nothing too wide."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

SITE = Path(__file__).parents[1] / "_build" / "html"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTH, NARROW = 1280, 390
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0", "--remote-allow-origins=*", f"--window-size={WIDTH},900",
]  # fmt: skip

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site: `make book` builds it"),
]

CUT_CODE = """[...document.querySelectorAll("pre")].filter(e => e.scrollWidth > e.clientWidth)
    .map(e => e.textContent.slice(0, 60))"""


class Tab:
    """One tab of the browser, spoken to in Chrome's DevTools protocol."""

    def __init__(self, address: str) -> None:
        self.socket = websocket.create_connection(address, timeout=60)
        self.numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Network", "Runtime"):
            self.ask(f"{domain}.enable")
        self.resize(WIDTH)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def resize(self, width: int) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)

    def visit(self, page: Path) -> None:
        """Load a page and wait until it is complete, maths and all."""
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(json.loads(self.socket.recv()))
        self.evaluate("window.MathJax?.startup?.promise?.then(() => 1)")

    def evaluate(self, script: str) -> Any:
        answer = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        return answer["result"].get("value")

    def requested(self) -> list[str]:
        found = (e for e in self.events if e.get("method") == "Network.requestWillBeSent")
        return [event["params"]["request"]["url"] for event in found]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    folder = tmp_path_factory.mktemp("browser")
    command = [str(BROWSER), *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as browser:
        noted = folder / "DevToolsActivePort"  # the browser writes its port there
        deadline = time.monotonic() + 30
        while not noted.is_file() and time.monotonic() < deadline:
            time.sleep(0.1)
        port = noted.read_text().splitlines()[0]
        try:
            opened = Tab(new_tab(port))
            yield opened
            opened.socket.close()
        finally:
            browser.kill()


def new_tab(port: str) -> str:
    """Address of a tab of the browser that listens on a port."""
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/json") as answer:
        targets = json.load(answer)
    return next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")


def pages() -> list[Path]:
    inner = ("_static", "_sources", "_images", "_sphinx_design_static")
    found = [p for p in SITE.rglob("*.html") if p.relative_to(SITE).parts[0] not in inner]
    return sorted(page for page in found if page.name != "search.html")


@pytest.mark.parametrize(
    "page",
    [page for page in pages() if page != SITE / "index.html"],  # it sends on while it is looked at
    ids=lambda page: page.relative_to(SITE).as_posix(),
)
def test_a_page_is_whole_and_fits(tab: Tab, page: Path) -> None:
    tab.visit(page)
    inside = ("file:", "data:", "blob:")
    assert [url for url in tab.requested() if not url.startswith(inside)] == []
    for room in (NARROW, WIDTH):
        tab.resize(room)
        width = tab.evaluate("document.documentElement.scrollWidth")
        assert width <= room, f"{page.name} is {width} pixels wide"
        assert tab.evaluate(CUT_CODE) == []
    broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    assert tab.evaluate(broken) == []
    errors = "[...document.querySelectorAll('mjx-merror, .math .error')].map(e => e.textContent)"
    assert tab.evaluate(errors) == []
    # Sphinx gives a picture without one its own address.
    unnamed = "[...document.images].filter(i => !i.alt || /\\.(png|svg)$/.test(i.alt))"
    assert tab.evaluate(f"{unnamed}.map(i => i.src.slice(0, 99))") == []


@pytest.mark.parametrize(
    ("name", "heading", "least"),
    [("07_photos", "verdict", 2), ("08_claims", "verdict", 2), ("02_multi_type", "- paper", 2)],
)
def test_verdicts_and_differences_are_seen_on_a_telephone(
    tab: Tab, name: str, heading: str, least: int
) -> None:
    tab.visit(SITE / "notebooks" / f"{name}.html")
    tab.resize(NARROW)
    ends = tab.evaluate(
        f"""[...document.querySelectorAll(".cell_output table th")]
        .filter(e => e.textContent.replace("−", "-").endsWith("{heading}"))
        .map(e => e.getBoundingClientRect().right)"""
    )
    tab.resize(WIDTH)
    assert len(ends) >= least
    assert max(ends) <= NARROW


def test_every_page_is_reached_from_the_table_of_contents(tab: Tab) -> None:
    tab.visit(SITE / "intro.html")
    script = (
        "[...document.querySelectorAll('nav.bd-links a, .sidebar-primary-item a')].map(a => a.href)"
    )
    linked = {url.split("#")[0] for url in tab.evaluate(script)}
    entry = {SITE / "index.html", SITE / "intro.html"}  # the first only sends on to the second
    entry.add(SITE / "genindex.html")  # the second leads to it
    assert [
        page.name for page in pages() if page not in entry and page.as_uri() not in linked
    ] == []
