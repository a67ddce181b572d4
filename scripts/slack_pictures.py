"""Takes pictures of what Footnote sends to Slack, drawn by the page that draws it without Slack.

    .venv/bin/python scripts/slack_pictures.py            every sample surface
    .venv/bin/python scripts/slack_pictures.py FILE.json  messages or a view from a file

Each is taken light and dark, and 760 and 390 pixels wide, into `--out` (build/slack unless said).
`docs/pictures/slack.png` is the sample `answer`, light and wide.
Needs the packages of `python3 run.py test` and a Chromium; nothing is asked of any other host.
"""

import argparse
import json
import mimetypes
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Route, ViewportSize, sync_playwright

from admin.gate import SECURITY_HEADERS
from admin.slack.known import Known
from admin.slack.surfaces import draw
from admin.templating import STATIC, Templates
from core.settings import ROOT
from scripts.slack_case import NAMES
from scripts.slack_samples import SURFACES

ADDRESS = "http://slack.invalid/"  # a name that leads nowhere: every request is answered here
WIDTHS = {"": 760, "-phone": 390}  # pixels, by what the picture's name gets
SCHEMES = {"": "light", "-dark": "dark"}
SCALE = 2  # device pixels a pixel
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    """Take the pictures; return 1 with a sentence where something is missing."""
    parser = argparse.ArgumentParser(description="Pictures of Slack messages and views.")
    parser.add_argument("files", nargs="*", type=Path, help="JSON; without, every sample")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "slack", help="a folder")
    parser.add_argument("--only", default="", help="samples whose name begins so")
    asked = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if chromium is None:
        sys.stderr.write("slack_pictures: there is no Chromium on PATH; install one.\n")
        return 1
    asked.out.mkdir(parents=True, exist_ok=True)
    with browsing(chromium) as browser:
        for name, surface in wanted(asked.files, asked.only):
            for path in pictures(browser, asked.out / name, surface):
                sys.stdout.write(f"{path}: {path.stat().st_size / 1000:.0f} kB\n")
    return 0


def wanted(files: list[Path], only: str) -> Iterator[tuple[str, object]]:
    """Yield the surfaces of files, else the samples whose name begins with `only`."""
    for file in files:
        yield file.stem, json.loads(file.read_text("utf-8"))
    if not files:
        yield from ((name, make()) for name, make in SURFACES.items() if name.startswith(only))


@contextmanager
def browsing(chromium: str) -> Iterator[Browser]:
    """Give a headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def pictures(browser: Browser, stem: Path, surface: object) -> Iterator[Path]:
    """Write the pictures of one surface and yield their paths."""
    page_of = Templates().render(
        "slack.html", surfaces=[draw(surface, Known(names=NAMES))], notices=(), bare=True
    )
    for of_width, width in WIDTHS.items():
        for of_scheme, scheme in SCHEMES.items():
            context = browser.new_context(
                viewport=ViewportSize(width=width, height=200),
                device_scale_factor=SCALE,
                color_scheme=scheme,  # type: ignore[arg-type]
                locale="en-GB",
            )
            page = context.new_page()
            page.route("**/*", lambda route: serve(route, page_of))
            page.goto(ADDRESS)
            page.evaluate("document.fonts.ready")
            path = stem.with_name(f"{stem.name}{of_width}{of_scheme}.png")
            page.screenshot(path=path, full_page=True)
            context.close()
            yield path


def serve(route: Route, page: str) -> None:
    """Answer a request with the page or a static file, under the site's own headers."""
    path = urlsplit(route.request.url).path
    if path == "/":
        route.fulfill(
            body=page, content_type="text/html; charset=utf-8", headers=dict(SECURITY_HEADERS)
        )
        return
    file = (STATIC / path.removeprefix("/static/")).resolve()
    if not path.startswith("/static/") or not file.is_file() or STATIC not in file.parents:
        sys.stderr.write(f"slack_pictures: {route.request.url} was asked for, and is not here\n")
        route.abort()
        return
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    route.fulfill(path=file, content_type=kind, headers=dict(SECURITY_HEADERS))


if __name__ == "__main__":
    sys.exit(main())
