"""`make pictures`: the moving pictures of README.md, from real screenshots of a demo that runs.

More happens within these seconds with: make manage COMMAND="demo_players --rate 12 --seconds 90"

Chromium takes the screenshots, finds what changed between two of them and encodes that as WebP; the frames are put
into one file here (the container is described at developers.google.com/speed/webp/docs/riff_container).
"""

import base64
import shutil
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "img"
WIDTH, HEIGHT, SCALE, ROWS = 520, 500, 1.5, 8
SECONDS = 14.0
LAST = 1500  # milliseconds that the last frame stays before the picture begins again
NO_BLEND = 2  # a frame replaces what is under it

# Keeps the newest screenshot; returns the changed rectangle, aligned to the even places that the format has, as WebP.
DIFFERENCE = """async (png) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const { width, height } = image;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { alpha: false });
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const before = globalThis.before;
  globalThis.before = pixels;
  let [left, top, right, bottom] = before ? [width, height, 0, 0] : [0, 0, width, height];
  if (before) pixels.forEach((pixel, at) => {
    if (pixel === before[at]) return;
    const x = at % width, y = (at - x) / width;
    left = Math.min(left, x); right = Math.max(right, x + 1);
    top = Math.min(top, y); bottom = Math.max(bottom, y + 1);
  });
  if (left >= right) return null;
  left &= ~1; top &= ~1;
  const part = new OffscreenCanvas(right - left, bottom - top);
  part.getContext('2d', { alpha: false }).drawImage(canvas, -left, -top);
  const file = await (await part.convertToBlob({ type: 'image/webp', quality: 0.86 })).bytes();
  return { left, top, width: part.width, height: part.height, file: file.toBase64() };
}"""


@dataclass
class Frame:
    """A rectangle that replaces what was there, and for how many milliseconds it stays. `data`: a VP8 or VP8L chunk."""

    left: int
    top: int
    width: int
    height: int
    data: bytes
    milliseconds: int = 0


def main(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),  # None: the one that Playwright has installed
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for theme in ("light", "dark"):
            frames = record(browser, url, theme)
            path = IMAGES / f"board-{theme}.webp"
            path.write_bytes(animation(frames))
            sys.stdout.write(f"{path.name}: {len(frames)} frames, {path.stat().st_size // 1024} KB\n")
        browser.close()


def record(browser: Browser, url: str, theme: str) -> list[Frame]:
    """What the board shows for SECONDS, each change with the time it stayed."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE)
    page = context.new_page()
    page.goto(f"{url}/embed/global?limit={ROWS}&theme={theme}")
    expect(page.locator("live-leaderboard [part=status]")).to_have_text("Live", timeout=30_000)
    page.wait_for_load_state("networkidle")
    shots: list[tuple[float, bytes]] = []
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        shots.append((time.monotonic(), page.screenshot()))
    context.close()

    encoder = browser.new_context().new_page()
    frames: list[Frame] = []
    shown = 0.0
    for taken, shot in shots:
        if frame := changed(encoder, shot):
            if frames:
                frames[-1].milliseconds = round((taken - shown) * 1000)
            frames.append(frame)
            shown = taken
    frames[-1].milliseconds = LAST
    encoder.context.close()
    return frames


def changed(encoder: Page, shot: bytes) -> Frame | None:
    """What of this screenshot differs from the one before; None if nothing does."""
    found = encoder.evaluate(DIFFERENCE, base64.b64encode(shot).decode())
    if found is None:
        return None
    return Frame(data=bitstream(base64.b64decode(found.pop("file"))), **found)


def bitstream(still: bytes) -> bytes:
    """The chunk of a still WebP file that has the picture, without a colour profile beside it."""
    at = len(b"RIFF....WEBP")
    while still[at : at + 4] not in (b"VP8 ", b"VP8L"):
        at += 8 + padded(still[at + 4 : at + 8])
    return still[at : at + 8 + padded(still[at + 4 : at + 8])]


def padded(size: bytes) -> int:
    """What a chunk of this size takes."""
    number = int.from_bytes(size, "little")
    return number + number % 2


def animation(frames: list[Frame]) -> bytes:
    """One WebP file that repeats for ever; the first frame is the whole picture."""
    canvas = triple(frames[0].width - 1) + triple(frames[0].height - 1)
    chunks = [chunk(b"VP8X", b"\x02\0\0\0" + canvas), chunk(b"ANIM", struct.pack("<IH", 0xFFFFFFFF, 0))]
    for frame in frames:
        place = triple(frame.left // 2) + triple(frame.top // 2)
        size = triple(frame.width - 1) + triple(frame.height - 1)
        head = place + size + triple(frame.milliseconds) + bytes([NO_BLEND])
        chunks.append(chunk(b"ANMF", head + frame.data))
    return chunk(b"RIFF", b"WEBP" + b"".join(chunks))


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def triple(number: int) -> bytes:
    return number.to_bytes(3, "little")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8000")
