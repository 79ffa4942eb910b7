"""Logits, probabilities and masks: how one becomes the other.

Logits are outputs×H×W float32: one output is the foreground against the background, else one a class.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

_SURE = 1e-7  # the closest a probability may come to 0 and 1 before it is made a logit again


def to_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each class, classes×H×W float32, from logits outputs×H×W.

    One output is the foreground against the background (sigmoid), else one a class (softmax).
    """
    if logits.shape[0] == 1:
        foreground = 1 / (1 + np.exp(-np.clip(logits[0], -80, 80)))
        return np.stack([1 - foreground, foreground])
    exponent = np.exp(logits - logits.max(axis=0, keepdims=True))
    probabilities: np.ndarray = exponent / exponent.sum(axis=0, keepdims=True)
    return probabilities


def average(members: Sequence[np.ndarray]) -> np.ndarray:
    """Return the logits whose probabilities are the mean of the members' probabilities.

    Args:
        members: logits of one shape, outputs×H×W.
    """
    if len(members) == 1:
        return members[0]
    mean = sum(to_probabilities(each) for each in members) / len(members)
    mean = np.clip(mean, _SURE, 1 - _SURE).astype(np.float32)
    return np.log(mean[1:] / mean[:1]) if members[0].shape[0] == 1 else np.log(mean)


def average_parts(members: Sequence[np.ndarray], depth: bool) -> np.ndarray:
    """Return what ``average`` does, where with ``depth`` the last plane of each is no logit but a depth."""
    if not depth:
        return average(members)
    if len(members) == 1:
        return members[0]
    classes, last = average([each[:-1] for each in members]), sum(each[-1:] for each in members)
    return np.concatenate([classes, last / len(members)])


def to_mask(logits: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return class indices, H×W uint8, from logits outputs×H×W.

    Args:
        logits: outputs×H×W float32.
        threshold: the probability above which one output means foreground; of no effect on several.
    """
    if logits.shape[0] == 1:
        above: np.ndarray = logits[0] > math.log(threshold / (1 - threshold))
        return above.astype(np.uint8)
    mask: np.ndarray = logits.argmax(axis=0).astype(np.uint8)
    return mask


def confidences(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each pixel's most probable class, H×W float32."""
    if logits.shape[0] == 1:
        sure: np.ndarray = 1 / (1 + np.exp(-np.minimum(np.abs(logits[0]), 80)))
        return sure
    confidence: np.ndarray = 1 / np.exp(logits - logits.max(axis=0, keepdims=True)).sum(axis=0)
    return confidence


def to_16_bits(logits: np.ndarray) -> np.ndarray:
    """Return the foreground classes' probabilities, (classes − 1)×H×W uint16; 65535 is certainty."""
    return (to_probabilities(logits)[1:] * 65535 + 0.5).astype(np.uint16)


def drop_small(mask: np.ndarray, least: int) -> np.ndarray:
    """Return the mask with each foreground region of fewer than ``least`` pixels made background.

    A region is what one class covers without a gap, corners included (8-connected).

    Args:
        mask: H×W uint8 class indices.
        least: pixels; 0 and 1 change nothing.
    """
    if least <= 1:
        return mask
    out = mask.copy()
    for index in np.unique(mask[mask > 0]):
        _, regions, statistics, _ = cv2.connectedComponentsWithStats((mask == index).astype(np.uint8))
        small = statistics[:, cv2.CC_STAT_AREA] < least
        small[0] = False  # all that is of another class
        out[small[regions]] = 0
    return out
