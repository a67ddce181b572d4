"""Takes the pictures of the documentation from the page that `python3 run.py up` serves.

    .venv/bin/python scripts/screenshots.py

`FOOTNOTE_PORT` says where the page is, as it does to `up`. The sample policies must be the only
documents there. Needs the packages of `python3 run.py test` and a Chromium.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Page, ViewportSize, sync_playwright

from core.settings import ROOT, settings

PICTURES = ROOT / "docs" / "pictures"
SIZE_LIMIT = 200_000  # bytes of a picture in the repository
VIEW = ViewportSize(width=1180, height=730)  # pixels
SCALE = 1.2  # device pixels a pixel: sharp, and small enough
PATIENCE = 20_000  # milliseconds for an answer
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
QUESTION = "Can I return a sale item after three weeks?"


def main() -> int:
    """Take every picture; return 1 with a sentence where something is missing."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        return complain("there is no Chromium on PATH; install one.")
    address = settings().page_url
    try:
        urlopen(f"{address}/health", timeout=5).close()  # noqa: S310 - an address of our own
    except URLError:
        return complain(f"nothing answers at {address}; start `python3 run.py up` first.")
    PICTURES.mkdir(exist_ok=True)
    with browsing(chromium) as page:
        take_answer(page, address)
        take_quote(page)
    return 0


@contextmanager
def browsing(chromium: str) -> Iterator[Page]:
    """Give a page in a light, headless browser of one size."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(
            viewport=VIEW, device_scale_factor=SCALE, color_scheme="light", locale="en-GB"
        )
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def take_answer(page: Page, address: str) -> None:
    """Ask a question and take the answer with its footnotes."""
    page.goto(address)
    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.locator("article.exchange:not(.pending) .footnotes").wait_for()
    keep(page, "answer")


def take_quote(page: Page) -> None:
    """Open the first footnote's words in their document and take that."""
    page.locator(".footnotes a.open").first.click()
    page.locator("mark").first.wait_for()
    keep(page, "quote")


def keep(page: Page, name: str) -> None:
    """Write what the window shows to a picture."""
    page.evaluate("document.activeElement?.blur()")
    page.wait_for_timeout(500)  # milliseconds, for fonts and scrolling to come to rest
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    size = path.stat().st_size
    sys.stdout.write(f"{shown(path)}: {size / 1000:.0f} kB\n")
    if size > SIZE_LIMIT:
        complain(f"{shown(path)} is larger than {SIZE_LIMIT / 1000:.0f} kB.")


def shown(path: Path) -> str:
    """Return a path as people name it: from the checkout."""
    return path.relative_to(ROOT).as_posix()


def complain(sentence: str) -> int:
    """Say what is wrong and return the exit status for it."""
    sys.stderr.write(f"screenshots: {sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
