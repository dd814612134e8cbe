"""The tables of the page on speed, from small files of results."""

from __future__ import annotations

import csv
from pathlib import Path

from wsss.book.pages import write_speed
from wsss.book.speed import speed_tables

ROOT = Path(__file__).resolve().parents[2]
LINE = {
    "part": "loss", "case": "K = 12", "unit": "s", "ours": "0.004", "usual": "0.024", "ratio": "6",
    "low": "5.5", "high": "6.25", "limit": "0.0002", "grows": "", "at": "", "way_ours": "one pass",
    "way_usual": "K calls", "copy_bytes_per_s": "3.5e10", "matmul_flops_per_s": "1.2e11",
    "load": "0.5", "commit": "abc", "python": "3.11.7", "torch": "2.5", "numpy": "2.0",
    "processor": "P x 2", "threads": "1", "day": "2026-01-02",
}  # fmt: skip


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def test_a_ratio_stands_beside_its_quartiles_and_the_limit() -> None:
    text = speed_tables([LINE])
    assert rows(text)[2:] == ["| K = 12 | 24 ms | 4 ms | 6 | 5.5 – 6.25 | 0.2 ms | 20 |"]
    assert "35 GB/s" in text
    assert "120 GFLOP/s" in text


def test_growth_has_a_table_of_its_own_and_may_lack_the_usual_way() -> None:
    growing = [
        LINE | {"grows": "seeds", "at": at, "usual": "", "ratio": "", "low": "", "high": ""}
        for at in ("1", "12.0")
    ]
    fixed, growth = speed_tables([LINE, *growing]).split("K = 12:\n")
    assert len(rows(fixed)) == 3
    assert rows(growth)[0].startswith("| seeds |")
    assert rows(growth)[2:] == [f"| {at} | 4 ms | 0.2 ms | 20 |" for at in (1, 12)]


def test_memory_is_in_megabytes_and_a_limit_may_be_missing() -> None:
    text = speed_tables([LINE | {"unit": "MB", "ours": "4.229", "usual": "35.29", "limit": ""}])
    assert rows(text)[2] == "| K = 12 | 35.3 MB | 4.23 MB | 6 | 5.5 – 6.25 |"


def test_every_file_is_a_part_and_is_written_once(tmp_path: Path) -> None:
    fragment = tmp_path / "book" / "speed.md"
    write_speed(tmp_path, fragment)
    assert not fragment.exists()
    for part in ("loss", "crf"):
        with (tmp_path / f"{part}.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, LINE)
            table.writeheader()
            table.writerow(LINE | {"part": part})
    write_speed(tmp_path, fragment)
    written = fragment.stat().st_mtime_ns
    write_speed(tmp_path, fragment)
    assert fragment.stat().st_mtime_ns == written
    headings = [line for line in fragment.read_text().splitlines() if line.startswith("## ")]
    assert headings == ["## CRF", "## Loss"]


def test_committed_results_make_the_page(tmp_path: Path) -> None:
    results = ROOT / "benchmarks" / "results"
    write_speed(results, tmp_path / "speed.md")
    text = (tmp_path / "speed.md").read_text()
    for file in results.glob("*.csv"):
        assert f"python benchmarks/{file.stem}.py" in text
        assert (ROOT / "benchmarks" / f"{file.stem}.py").exists()
