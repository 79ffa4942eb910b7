"""The embedded datasets: drawn by a generator with its own fixed seed, no download.

``filaments`` is made of thin branching structures whose detail pooling loses, so long skips matter;
``textures:ALPHA`` is made of large shapes that differ from their surroundings in texture only, so long
skips matter little. Neither depends on a run's seed.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import correlate1d, gaussian_filter

Array = NDArray[np.float64]
Drawing = tuple[NDArray[np.uint8], NDArray[np.uint8]]


_SUPERSAMPLING = 8
# Half a pixel between discs leaves notches of at most 1/15 px along a line of width 1.
_STEP = 0.5


@dataclass(frozen=True)
class Stroke:
    """A curved line of varying thickness: ``points`` N×2 (x, y) and ``widths`` N, both in pixels."""

    points: Array
    widths: Array


def grow_filaments(rng: np.random.Generator, size: int = 96) -> list[Stroke]:
    """Return the strokes of one image: a few trees of tapering branches, and small blobs.

    A branch walks in steps of half a pixel, its heading turning at a rate that drifts (so that it
    curves smoothly), its width falling linearly; on the way it puts out narrower children, which do
    the same. Widths lie between 1 and 8 px. Blobs are strokes a pixel or two long.
    """
    strokes: list[Stroke] = []
    for _ in range(int(rng.integers(2, 5))):
        start = rng.uniform(0, size, 2)
        towards_centre = float(np.arctan2(size / 2 - start[1], size / 2 - start[0]))
        width = float(np.exp(rng.uniform(np.log(1.6), np.log(8.0))))
        length = size * rng.uniform(0.5, 1.0)
        _grow_branch(rng, start, towards_centre + rng.normal(0, 0.6), width, length, strokes)
    for _ in range(int(rng.integers(4, 11))):
        ends = rng.uniform(0, size, 2) + np.linspace(0, 1, 4)[:, None] * rng.normal(0, 1, 2)
        strokes.append(Stroke(ends, np.full(4, rng.uniform(1.5, 4.5))))
    return strokes


def _grow_branch(
    rng: np.random.Generator,
    start: Array,
    heading: float,
    width: float,
    length: float,
    strokes: list[Stroke],
    depth: int = 0,
) -> None:
    steps = int(length / _STEP)
    if steps < 12:
        return
    turning = correlate1d(rng.standard_normal(steps), _gaussian(4.0 / _STEP), mode="nearest") * 0.3 * _STEP
    headings = heading + np.cumsum(turning)
    points = np.empty((steps, 2))
    np.cumsum(np.cos(headings), out=points[:, 0])
    np.cumsum(np.sin(headings), out=points[:, 1])
    points *= _STEP
    points += start
    last = max(1.0, width * rng.uniform(0.3, 0.8))
    widths: Array = np.arange(steps, dtype=np.float64) * ((last - width) / (steps - 1)) + width
    widths[-1] = last
    strokes.append(Stroke(points, widths))
    if depth == 3:
        return
    for at in (rng.random(steps) < 0.04 * _STEP).nonzero()[0].tolist():
        side = (-1.0, 1.0)[rng.integers(2)] * rng.uniform(0.4, 1.1)
        narrower = max(1.0, float(widths[at]) * rng.uniform(0.45, 0.8))
        shorter = (steps - at) * _STEP * rng.uniform(0.4, 0.9)
        _grow_branch(rng, points[at], float(headings[at]) + side, narrower, shorter, strokes, depth + 1)


def coverage_of(strokes: list[Stroke], size: int, supersampling: int = _SUPERSAMPLING) -> Array:
    """Return the share of each pixel's area (0 to 1, ``size``×``size``) that the strokes cover.

    Drawn ``supersampling`` times larger without smoothing, a disc at each point, then averaged over
    each pixel. A pixel (row r, column c) spans r to r + 1 and c to c + 1.
    """
    canvas = np.zeros((size * supersampling,) * 2, np.uint8)
    points = np.concatenate([stroke.points for stroke in strokes])
    widths = np.concatenate([stroke.widths for stroke in strokes])
    # OpenCV counts from the centre of the first pixel, hence the half; shift 4 = sixteenths.
    centres = np.round((points * supersampling - 0.5) * 16).astype(int)
    # It also fills what the outline touches, 0.4 too wide on average (measured, widths 1 to 8 px).
    radii = np.round((widths * supersampling / 2 - 0.4) * 16).astype(int)
    reach = (radii + 32)[:, None]  # two pixels more than the radius: what lies beyond touches nothing
    seen = ((centres + reach > 0) & (centres - reach < 16 * len(canvas))).all(axis=1)
    for centre, radius in zip(centres[seen].tolist(), radii[seen].tolist(), strict=True):
        cv2.circle(canvas, centre, radius, 1, cv2.FILLED, cv2.LINE_8, 4)
    return _average(canvas, size)


def _average(canvas: NDArray[np.uint8], size: int) -> Array:
    factor = len(canvas) // size
    # Rows first: summing along whole rows is many times faster than along eight neighbours.
    rows = canvas.reshape(size, factor, -1).sum(axis=1, dtype=np.uint8)
    mean: Array = rows.reshape(size, size, factor).sum(axis=2) / factor**2
    return mean


def draw_filament(rng: np.random.Generator, size: int = 96) -> Drawing:
    """Draw thin branching structures over textured colour noise.

    What makes it a task: the foreground's colour changes from image to image, clouds of the same
    colour and out-of-focus filaments lie in the background, and light falls off unevenly. On the test
    images one table of colours (16 steps a channel, fitted to the training images) reaches a dataset IoU
    of 0.40; each test image's best linear colour threshold, fitted to its own answer, 0.57.

    Args:
        rng: source of all chance; the same state gives the same bytes.
        size: height and width in pixels.

    Returns:
        image: ``size``×``size``×3 uint8, edges anti-aliased by coverage.
        mask: ``size``×``size`` uint8, 1 where filaments cover at least half of the pixel, else 0.
    """
    coverage = coverage_of(grow_filaments(rng, size), size)
    # Blurred anyway, so drawn coarsely.
    blurred = gaussian_filter(
        coverage_of(grow_filaments(rng, size), size, supersampling=2), rng.uniform(2.0, 3.5)
    )
    clouds = np.clip(_noise(rng, (size, size), 6.0), 0, 2) / 2
    amount = np.maximum(coverage, np.minimum(0.8 * blurred + 0.6 * clouds, 0.8))

    background = rng.uniform(50, 130, 3)
    contrast = _unit(np.array([1.0, 0.8, 0.5]) + rng.normal(0, 0.35, 3)) * rng.uniform(70, 110)
    grain = sum(
        strength * _noise(rng, (size, size, 3), sigma)
        for sigma, strength in ((0.5, 12.0), (1.2, 6.0), (12.0, 10.0))
    )
    image = background + amount[..., None] * contrast + grain
    return _to_bytes(image), (coverage >= 0.5).astype(np.uint8)


def draw_texture(rng: np.random.Generator, alpha: float, size: int = 96) -> Drawing:
    """Draw large shapes that differ from their surroundings in texture only.

    A (stripes, finer) and B (isotropic, coarser) are independent Gaussian random fields, each of
    zero mean and unit variance in each channel. Outside the shapes lies B; inside lies their linear
    blend, after the blended textures of Kamath et al. (MICCAI 2023), brought back to unit variance::

        inside = ((1 - alpha) A + alpha B) / sqrt((1 - alpha)^2 + alpha^2)

    Both sides then take the same mean colour and colour covariance, so at every alpha their colours
    are equally distributed. At alpha 1 inside and outside are one seamless field: nothing is left to
    find. The same state of ``rng`` gives the same shapes and fields at any alpha.

    Args:
        rng: source of all chance; the same state gives the same bytes.
        alpha: difficulty from 0 (two very different textures) to 1 (one texture).
        size: height and width in pixels.

    Returns:
        image: ``size``×``size``×3 uint8.
        mask: ``size``×``size`` uint8, 1 inside the shapes, else 0.
    """
    coverage = _shapes(rng, size)
    stripes = _random_field(rng, size, frequency=0.22, direction=float(rng.uniform(0, np.pi)))
    blotches = _random_field(rng, size, frequency=0.11, direction=None)
    blend = ((1 - alpha) * stripes + alpha * blotches) / np.hypot(1 - alpha, alpha)
    mask = coverage >= 0.5
    texture = np.where(mask[..., None], blend, blotches)
    colours = rng.normal(0, 1, (3, 3))
    colours *= 26.0 / np.linalg.norm(colours, axis=0)
    return _to_bytes(rng.uniform(100, 155, 3) + texture @ colours), mask.astype(np.uint8)


def _shapes(rng: np.random.Generator, size: int) -> Array:
    """Return the coverage of one to three blobs or polygons, a sixth to a half of the image wide."""
    canvas = np.zeros((size * _SUPERSAMPLING,) * 2, np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre, radius = rng.uniform(0.2, 0.8, 2) * size, rng.uniform(0.12, 0.26) * size
        if rng.random() < 0.5:
            corners = int(rng.integers(4, 9))
            angles = rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi, corners, endpoint=False)
            radii = radius * rng.uniform(0.75, 1.25, corners)
        else:
            angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
            waves = [
                rng.normal(0, 0.25 / k) * np.cos(k * angles + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 4)
            ]
            radii = radius * (1 + np.sum(waves, axis=0))
        outline = centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(canvas, [np.round(outline * _SUPERSAMPLING - 0.5).astype(np.int32)], 1)
    return _average(canvas, size)


def _random_field(rng: np.random.Generator, size: int, frequency: float, direction: float | None) -> Array:
    """Return a Gaussian random field, H×W×3, of unit variance round ``frequency`` cycles a pixel."""
    fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    amplitude = np.exp(-(((np.hypot(fx, fy) - frequency) / 0.035) ** 2) / 2)
    if direction is not None:
        across = np.cos(2 * (np.arctan2(fy, fx) - direction))
        amplitude *= np.exp(3.0 * (across - 1))
    amplitude[0, 0] = 0
    spectrum = np.fft.fft2(rng.normal(0, 1, (size, size, 3)), axes=(0, 1)) * amplitude[..., None]
    field = np.fft.ifft2(spectrum, axes=(0, 1)).real
    scaled: Array = field / field.std(axis=(0, 1))
    return scaled


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> Array:
    """Return noise smoothed over its first two axes, of zero mean and unit variance in each channel."""
    noise = rng.standard_normal(shape)
    channels = noise.reshape(*shape[:2], -1).transpose(2, 0, 1)
    spectrum = rfft2(np.ascontiguousarray(channels)) * _transfer(*shape[:2], sigma)
    spectrum[:, 0, 0] = 0  # the mean
    field: Array = irfft2(spectrum, shape[:2], overwrite_x=True)
    field /= np.sqrt(np.square(field).mean(axis=(1, 2), keepdims=True))
    return field.transpose(1, 2, 0).reshape(shape)


@lru_cache
def _transfer(height: int, width: int, sigma: float) -> Array:
    """Return what scipy's Gaussian filter that wraps round multiplies each frequency of ``rfft2`` by.

    Wide filters of small images are many times faster so.
    """
    impulse = np.zeros((height, width))
    impulse[0, 0] = 1
    transfer: Array = rfft2(gaussian_filter(impulse, sigma, mode="wrap", truncate=2.5)).real
    return transfer


@lru_cache
def _gaussian(sigma: float) -> Array:
    """Return the weights of scipy's Gaussian filter, four deviations to each side."""
    radius = int(4 * sigma + 0.5)
    impulse = np.zeros(2 * radius + 1)
    impulse[radius] = 1
    weights: Array = gaussian_filter(impulse, sigma, mode="constant")
    return weights


def _unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector)


def _to_bytes(image: Array) -> NDArray[np.uint8]:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
