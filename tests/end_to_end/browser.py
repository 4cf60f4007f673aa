"""A headless Chromium, with nothing of its own to ask of the network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

_SIZE = "1900,1000"  # wide enough for every column of a view
_FLAGS = ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
          "disable-background-networking", "disable-component-update", "disable-sync",
          "disable-dev-shm-usage", f"window-size={_SIZE}")  # fmt: skip


def can_browse() -> bool:
    """Return whether Chromium and its driver are installed."""
    return all(shutil.which(name) for name in ("chromium", "chromedriver"))


@contextmanager
def chromium(folder: Path) -> Iterator[Chrome]:
    """Give a browser whose profile is in an empty folder."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*_FLAGS, f"user-data-dir={folder}"):
        options.add_argument(f"--{flag}")
    driver = Chrome(options, ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()
