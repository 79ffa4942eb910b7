"""From what was seen and measured to settings, each with its reason: pure functions of facts. No torch.

Where a rule is nnU-Net's the source is F. Isensee et al.: nnU-Net: a self-configuring method for deep
learning-based biomedical image segmentation. Nature Methods 18, 2021. Figures behind the others are in
docs/recipe.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unetseg.planning.budget import Epochs
from unetseg.planning.facts import SIDES, DataFacts
from unetseg.utilities.progress import duration

SMALL = 256  # pixels: images up to here are taken as they are
_WIDE = 96  # pixels across: objects up to here fit into crops at native scale
_SEEN_WIDE = 48, 192  # pixels across, that larger objects are brought to at least and at most
_LONGEST = (128, 192, 256, 384, 512)
BASE_CROP = 128  # pixels a side, of the crops that speed is measured with and of those of lines
_SURROUNDINGS = 4  # times as wide as an object is a crop
ENOUGH = 3000  # crops that a net must see before more pixels a crop, or a deeper encoder, serve it
AGAIN = 200  # times that an image comes back, from which on strong augmentation is taken
WHOLE = "a crop holds the whole image"
_FOREGROUND = 2 / 3  # share of the crops that should hold foreground, and do without help


@dataclass(frozen=True)
class Choice:
    """A setting, its value, and why it has it."""

    setting: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Candidate:
    """An encoder that may be chosen.

    Attributes:
        settings: that it consists of.
        crops: that it must see in the time to be worth it; 0 for the one that is always possible.
    """

    settings: Mapping[str, Any]
    crops: int

    @property
    def text(self) -> str:
        """Its settings in few words: ``basic --width 32``, ``resnet18``."""
        words = [str(self.settings["encoder"])]
        words += [f"--{key} {value}" for key, value in self.settings.items() if key != "encoder"]
        return " ".join(words)


def choose_native(facts: DataFacts) -> Choice | None:
    """Choose native scale where nothing speaks for another; None where time decides on it."""
    if facts.lines:
        why = f"at a smaller one, lines {facts.width:.1f} pixels wide would be gone"
    elif facts.longest <= SMALL:
        why = f"the images are small: {facts.longest} pixels"
    elif facts.diameter <= _WIDE:
        why = f"objects {facts.diameter:.0f} pixels across fit into crops as they are"
    elif facts.diameter * _LONGEST[-1] < _SEEN_WIDE[0] * facts.longest:
        why = f"objects {facts.diameter:.0f} pixels across are small beside images of {facts.longest}"
    else:
        return None
    return Choice("scale", "native", why)


def choose_longest(facts: DataFacts, crops_a_second: float, seconds: float) -> Choice:
    """Choose the longer side that images of large objects are brought to: the largest that time allows.

    Args:
        facts: of the dataset.
        crops_a_second: of the fastest net, for crops of 128 pixels a side.
        seconds: that there are for training.
    """

    def seen(side: int) -> float:
        return crops_a_second * (BASE_CROP / side) ** 2 * seconds

    least, most = (facts.longest * wide / facts.diameter for wide in _SEEN_WIDE)
    sides = [side for side in _LONGEST if least <= side <= min(most, facts.longest)]
    if not sides:  # nothing between: the one that is nearest
        sides = [min(_LONGEST, key=lambda side: abs(side - least))]
    side = max((side for side in sides if seen(side) >= ENOUGH), default=sides[0])
    across = facts.diameter * side / facts.longest
    limit = f"; there is time for {seen(side):,.0f} such crops" if side < sides[-1] else ""
    why = f"objects {facts.diameter:.0f} pixels across come out {across:.0f} across, whole in a crop{limit}"
    return Choice("scale", f"longest:{side}", why)


def choose_size(facts: DataFacts, scale: str) -> Choice:
    """Choose the side of the crops, a multiple of 32."""
    if scale != "native":
        return Choice("size", _in_32s(int(scale.split(":")[1])), WHOLE)
    whole = _in_32s(facts.longest)
    wanted = float(BASE_CROP) if facts.lines else _SURROUNDINGS * facts.diameter
    side = next((side for side in SIDES[1:] if side >= wanted), SIDES[-1])
    if side >= whole:
        return Choice("size", whole, WHOLE)
    if facts.lines:
        return Choice("size", side, "lines need no wider surroundings")
    return Choice("size", side, f"so that objects {facts.diameter:.0f} pixels across have surroundings")


def _in_32s(side: int) -> int:
    return -(-side // 32) * 32


def choose_batch(facts: DataFacts, usual: int) -> Choice:
    """Choose the images a step: the usual number, fewer where an epoch would be a single step."""
    images = facts.images["train"]
    if images >= 2 * usual:
        return Choice("batch_size", usual, "the usual one: larger batches gain no speed on a CPU")
    batch = max(2, min(usual, images // 2))
    return Choice("batch_size", batch, f"{images} training images make two steps an epoch at least")


def candidates(facts: DataFacts, pretrained: tuple[str, ...] = ()) -> list[Candidate]:
    """Return the encoders that suit the shapes, the one that is always possible first, then ever slower ones.

    Args:
        facts: of the dataset.
        pretrained: encoders whose ImageNet weights lie on this machine, from fast to slow.
    """
    basic = Candidate({"encoder": "basic"}, 0)
    if facts.lines or not pretrained:
        return [basic]
    first, *more = ({"encoder": name, "weights": "imagenet"} for name in pretrained)
    return [Candidate(first, 0), *(Candidate(each, ENOUGH) for each in more)]


def choose_encoder(facts: DataFacts, seen: Mapping[str, float], chosen: Candidate) -> list[Choice]:
    """Say why a candidate was taken: the last in the list that sees enough crops.

    Args:
        facts: of the dataset.
        seen: candidate's text → crops that it would see in the time, of those that were measured.
        chosen: the candidate.
    """
    told = ", ".join(f"{text} {crops:,.0f}" for text, crops in seen.items())
    if facts.lines:
        why = "thin lines need its skip at full resolution"
    elif "weights" in chosen.settings:
        why = "its ImageNet weights lie on this machine"
    else:
        why = "no ImageNet weights lie on this machine, and from scratch it learns fastest"
    first, *more = chosen.settings.items()
    return [
        Choice(*first, f"{why}; crops in the time: {told}"),
        *(Choice(*each, "goes with it") for each in more),
    ]


def choose_augmentation(facts: DataFacts, crops: float) -> Choice:
    """Choose the augmentation by how often an image comes back.

    Args:
        facts: of the dataset.
        crops: seen in the time.
    """
    times = crops / facts.images["train"]
    told = f"each training image comes back {times:,.0f} times"
    if times >= AGAIN:
        return Choice("augment", "full", told)
    return Choice("augment", "light", f"{told}; stronger from {AGAIN} on")


def choose_foreground_crops(facts: DataFacts, scale: str, size: int) -> Choice:
    """Choose the share of the crops that must hold foreground; a third, as nnU-Net has it, where few do."""
    if scale != "native" or size not in facts.in_crops:
        return Choice("foreground_crops", 0.0, WHOLE)
    held = facts.in_crops[size]
    told = f"{held:.0%} of crops at random places hold foreground"
    if held >= _FOREGROUND:
        return Choice("foreground_crops", 0.0, told)
    return Choice("foreground_crops", 0.33, f"only {told}; a third must, as in nnU-Net")


def choose_class_weights(facts: DataFacts) -> Choice:
    """Weigh no class: the loss is half Dice, in which each counts alike, as in nnU-Net's."""
    rarest = min(list(facts.shares.values())[1:], default=0.0)
    why = (
        f"in the Dice half of the loss all classes count alike, as in nnU-Net's; the rarest has {rarest:.1%}"
    )
    return Choice("class_weights", "none", why)


def choose_epochs(fitting: Epochs, before: float, after: float, total: float) -> Choice:
    """Say how the time became a number of epochs.

    Args:
        fitting: what fits.
        before: seconds of the start, planning included.
        after: seconds of the test.
        total: seconds that were given.
    """
    took = before + fitting.seconds + after
    parts = (
        f"{duration(fitting.seconds)}, with {duration(before)} to start and {duration(after)} for the test "
        f"{duration(took)} of {duration(total)}"
    )
    over = "; less than one epoch would fit" if took > total else ""
    return Choice("epochs", fitting.epochs, parts + over)
