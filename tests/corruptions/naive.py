"""The corruptions as the paper's authors wrote them down, an image after the other, from the same draws.

Images are [H,W,C] in 0..1, loops go pixel by pixel, filters are scipy's, OpenCV's and Pillow's. What comes out is
[H,W,C] in 0..255, not cut to bytes yet.
"""

import colorsys
import io
import math

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates, zoom


def gaussian_noise(image, rng, scale):
    return 255 * (image + scale * draw(rng.standard_normal, image))


def shot_noise(image, rng, photons):
    counts = rng.poisson(image.transpose(2, 0, 1) * photons).transpose(1, 2, 0)
    return 255 * counts / photons


def impulse_noise(image, rng, amount):
    height, width, channels = image.shape
    hit, salt = rng.random((2, channels, height, width), np.float32).transpose(0, 2, 3, 1)
    result = image.copy()
    result[(hit < amount) & (salt < 0.5)] = 1
    result[(hit < amount) & (salt >= 0.5)] = 0
    return 255 * result


def defocus_blur(image, rng, radius, smoothing):
    reach, across = (8, 3) if radius <= 8 else (radius, 5)
    x, y = np.meshgrid(*[np.arange(-reach, reach + 1)] * 2)
    disk = (x**2 + y**2 <= radius**2).astype(np.float32)
    kernel = cv2.GaussianBlur(disk / disk.sum(), (across, across), sigmaX=smoothing)
    channels = [cv2.filter2D(np.ascontiguousarray(part), -1, kernel) for part in np.moveaxis(image, 2, 0)]
    return 255 * np.stack(channels, axis=2)


def glass_blur(image, rng, sigma, reach, times):
    size, (low, high) = len(image), (reach + 1, len(image) - reach)
    offsets = rng.integers(-reach, reach, (times, size - 2 * reach, size - 2 * reach, 2))
    pixels = np.floor(smooth(image, sigma) * 255 + 1e-4)
    for moves in offsets:
        for row in range(high, low - 1, -1):
            for column in range(high, low - 1, -1):
                down, across = moves[row - low, column - low]
                one, other = (row, column), (row + down, column + across)
                pixels[one], pixels[other] = pixels[other], pixels[one]  # views: the second is a copy of itself
    return 255 * smooth(pixels / 255, sigma)


def motion_blur(image, rng, radius, sigma):
    return smear(255 * image, rng.uniform(-45, 45), radius, sigma)


def zoom_blur(image, rng, stop, step):
    factors = np.arange(1, stop, step)
    return 255 * (image + sum(zoom_in(image, factor) for factor in factors)) / (len(factors) + 1)


def snow(image, rng, mean, scale, factor, threshold, radius, sigma, kept):
    size = len(image)
    flakes = rng.normal(mean, scale, (1, size, size)).astype(np.float32)[0, :, :, None]
    degrees = rng.uniform(-135, -45)
    flakes = zoom_in(flakes, factor)
    flakes[flakes < threshold] = 0
    flakes = smear(np.floor(np.clip(flakes, 0, 1) * 255 + 1e-4), degrees, radius, sigma) / 255
    gray = image @ [0.299, 0.587, 0.114] if image.shape[2] == 3 else image[..., 0]
    pale = np.maximum(image, 1.5 * gray[..., None] + 0.5)
    return 255 * (kept * image + (1 - kept) * pale + flakes + np.rot90(flakes, 2))


def frost(image, rng, kept, amount):
    size, channels = len(image), image.shape[2]
    ridges = 1 - np.abs(2 * plasma(rng, size, 1.35) - 1)
    cover = plasma(rng, size, 2.5)
    color = np.array([0.86, 0.95, 1.0] if channels == 3 else [(0.86 + 0.95 + 1) / 3])
    ice = (0.35 * cover + 0.65 * ridges**2 * (0.4 + 0.6 * cover))[..., None] * color
    return 255 * (kept * image + amount * ice)


def fog(image, rng, amount, decay):
    cloud = plasma(rng, len(image), decay)[..., None]
    return 255 * (image + amount * cloud) * image.max() / (image.max() + amount)


def brightness(image, rng, amount):
    result = np.empty_like(image)
    for place in np.ndindex(image.shape[:2]):
        if image.shape[2] == 1:
            result[place] = min(1, image[place][0] + amount)
            continue
        hue, saturation, value = colorsys.rgb_to_hsv(*image[place])
        result[place] = colorsys.hsv_to_rgb(hue, saturation, min(1, value + amount))
    return 255 * result


def contrast(image, rng, kept):
    means = image.mean(axis=(0, 1))
    return 255 * (kept * (image - means) + means)


def elastic_transform(image, rng, strength, sigma, spread):
    size = len(image)
    middle, third = size // 2, size // 3
    before = np.float32([[middle + third, middle + third], [middle + third, middle - third], [middle - third] * 2])
    moves = rng.uniform(-spread * size, spread * size, (3, 2)).astype(np.float32)
    field = rng.uniform(-1, 1, (2, size, size)).astype(np.float32)
    matrix = np.vstack([cv2.getAffineTransform(before, before + moves), [0, 0, 1]])
    back = np.linalg.inv(matrix)
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    from_x, from_y = (back @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1))[:2].reshape(2, size, size)
    image = sample(image, from_y, from_x, "mirror")
    radius = int(3 * sigma * size + 0.5)
    right, down = (
        strength * size * gaussian_filter(each, sigma * size, mode="reflect", radius=radius) if sigma else 0 * each
        for each in field
    )
    return 255 * sample(image, y + down, x + right, "reflect")


def pixelate(image, rng, kept):
    size = len(image)
    small, box = int(size * kept), Image.Resampling.BOX
    return from_picture(to_picture(image).resize((small, small), box).resize((size, size), box))


def jpeg_compression(image, rng, quality):
    file = io.BytesIO()
    to_picture(image).save(file, "JPEG", quality=quality)
    return from_picture(Image.open(file))


def draw(standard_normal, image):
    height, width, channels = image.shape
    return standard_normal((channels, height, width), np.float32).transpose(1, 2, 0)


def smooth(image, sigma):
    """As skimage's `gaussian`."""
    return gaussian_filter(image, (sigma, sigma, 0), mode="nearest", truncate=4)


def smear(image, degrees, radius, sigma):
    """ImageMagick's motion blur: half a Gaussian, whole pixels, the border continued, bytes come out."""
    size, steps = len(image), 2 * math.ceil(radius) + 1
    weights = [math.exp(-(step**2) / (2 * sigma**2)) for step in range(steps)]
    angle, result = math.radians(np.float32(degrees)), np.zeros_like(image, dtype=np.float64)
    moves = [[math.ceil(step * part(angle) - 0.5) for part in (math.sin, math.cos)] for step in range(steps)]
    weights = [weight / sum(weights) for weight in weights]
    for row, column in np.ndindex(size, size):
        for weight, (down, across) in zip(weights, moves, strict=True):
            near = min(max(row + down, 0), size - 1), min(max(column + across, 0), size - 1)
            result[row, column] += weight * image[near]
    return np.round(result)


def zoom_in(image, factor):
    size = len(image)
    kept = math.ceil(size / factor)
    first = (size - kept) // 2
    large = zoom(image[first : first + kept, first : first + kept], (factor, factor, 1), order=1)
    first = (len(large) - size) // 2
    return large[first : first + size, first : first + size]


def plasma(rng, size, decay):
    """Diamond-square, a point after the other, the map continued at its borders."""
    across = 2 ** math.ceil(math.log2(size))
    moves = iter(rng.uniform(-1, 1, across**2 - 1).astype(np.float32).astype(np.float64))
    heights, step, most = np.zeros((across, across)), across, 100.0

    def refine(starts, around):
        for down in range(0, across, step):
            for right in range(0, across, step):
                row, column = down + starts[0], right + starts[1]
                near = [heights[(row + y) % across, (column + x) % across] for y, x in around]
                heights[row, column] = sum(near) / 4 + most * most * next(moves)

    while step >= 2:
        half = step // 2
        refine((half, half), [(-half, -half), (-half, half), (half, -half), (half, half)])
        beside = [(-half, 0), (half, 0), (0, -half), (0, half)]
        refine((0, half), beside)
        refine((half, 0), beside)
        step, most = half, most / decay
    heights -= heights.min()
    return (heights / heights.max())[:size, :size]


def sample(image, rows, columns, mode):
    channels = [map_coordinates(part, [rows, columns], order=1, mode=mode) for part in np.moveaxis(image, 2, 0)]
    return np.stack(channels, axis=2)


def to_picture(image):
    pixels = (image * 255).round().astype(np.uint8)
    return Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])


def from_picture(picture):
    pixels = np.asarray(picture, dtype=np.float64)
    return pixels if pixels.ndim == 3 else pixels[..., None]
