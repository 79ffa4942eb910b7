"""The README's picture of a report: its findings and differences in light, its images in dark.

    unetseg ablate long --seeds 3 -o checkpoints/long
    python benchmarks/report_picture.py checkpoints/long/report.html docs/report.png

Opens the page in the system's Chromium through Playwright, both of which the tests use as well.
"""

import argparse
import io
import shutil
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from unetseg.utilities.files import write_bytes

WIDTH, HEIGHT = 1100, 1240  # CSS pixels of each half
LARGEST = 300_000  # bytes
COLOURS = 160


def main() -> int:
    """Draw the picture; the exit code is 1 where it is too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--image", type=int, default=0, help="the picture of the gallery to show [0]")
    options = parser.parse_args()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        light = screenshot(open_page(browser, options.report, "light"), "h1")
        page = open_page(browser, options.report, "dark")
        page.locator("[data-strip] button").nth(options.image).click()
        dark = screenshot(page, "[data-strip]")
        browser.close()
    content = side_by_side(light, dark)
    write_bytes(options.picture, content)
    print(f"{options.picture}: {len(content) / 1000:.0f} kB")
    return int(len(content) > LARGEST)


def open_page(browser: Any, report: Path, scheme: str) -> Page:
    """Open the report in a light or dark window."""
    window = {"width": WIDTH, "height": HEIGHT}
    page = browser.new_context(viewport=window, color_scheme=scheme, reduced_motion="reduce").new_page()
    page.goto(report.absolute().as_uri())
    return page


def screenshot(page: Page, heading: str) -> Image.Image:
    """Return what the window shows with a heading at its top."""
    page.locator(heading).first.evaluate("heading => scrollTo(0, heading.offsetTop - 16)")
    page.mouse.move(0, 0)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def side_by_side(left: Image.Image, right: Image.Image) -> bytes:
    """Return both as one PNG of few colours."""
    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    small = both.resize((both.width * 4 // 5, both.height * 4 // 5), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE).save(
        buffer, "png", optimize=True
    )
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
