"""Drawn parts of a split that hold every class where they can: few images change places with others."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from unetseg.data.datasets.remembered import known_classes
from unetseg.data.datasets.samples import SPLITS, Sample, SegmentationSet, draw_order

Classes = frozenset[int]


@dataclass(frozen=True)
class Group:
    """Images that stay together, and the foreground classes that they hold."""

    key: str
    samples: tuple[Sample, ...]
    classes: Classes


def stratified(dataset: SegmentationSet, split_seed: int) -> SegmentationSet:
    """Return the dataset with its drawn parts, and the rest, holding every class where possible.

    Images that belong together stay so. Nothing moves where every part holds every class already, and no
    image of a part that was given; a part gives away no image that alone holds a class there, but for the
    training's sake. How many images change places is the last of the set's notes.

    Args:
        dataset: ``drawn`` names its parts that were drawn.
        split_seed: that they were drawn by: it decides between images that would do equally.
    """
    parts = ["train", *dataset.drawn] if dataset.drawn else []
    held = known_classes(dataset, [sample for part in parts for sample in dataset.splits[part]])
    groups = {part: _groups(dataset.splits[part], held, split_seed) for part in parts}
    moved = sum(_spread(rare, part, groups) for rare in _rarest_first(groups) for part in parts)
    if not moved:
        return dataset
    splits = {
        part: tuple(sorted((s for group in groups[part] for s in group.samples), key=lambda s: s.name))
        if part in groups
        else dataset.splits[part]
        for part in SPLITS
    }
    note = (
        f"{' and '.join(dataset.drawn)}: {moved} image(s) changed places, so that each part has every class"
    )
    return replace(dataset, splits=splits, notes=(*dataset.notes, note))


def _groups(samples: Sequence[Sample], held: Mapping[str, Classes], seed: int) -> list[Group]:
    members: dict[str, list[Sample]] = {}
    for sample in samples:
        members.setdefault(sample.group or sample.name, []).append(sample)
    return [
        Group(key, tuple(members[key]), frozenset().union(*(held[each.name] for each in members[key])))
        for key in sorted(members, key=lambda key: draw_order(seed, key))
    ]


def _rarest_first(groups: Mapping[str, Sequence[Group]]) -> Iterator[int]:
    counts = Counter(index for part in groups.values() for group in part for index in group.classes)
    yield from sorted(counts, key=lambda index: (counts[index], index))


def _spread(wanted: int, part: str, groups: dict[str, list[Group]]) -> int:
    """Bring a class to a part that lacks it, by two groups that change places; return how many images did."""
    if any(wanted in group.classes for group in groups[part]):
        return 0
    swaps = [
        (abs(len(given.samples) - len(taken.samples)), SPLITS.index(donor), order, donor, given, taken)
        for donor in groups
        if donor != part
        for order, given in enumerate(groups[donor])
        if wanted in given.classes
        for taken in groups[part]
        if not _lost(groups[part], taken, given)
        and (not (lost := _lost(groups[donor], given, taken)) or (part == "train" and lost == {wanted}))
    ]
    if not swaps:
        return 0
    *_, donor, given, taken = min(swaps, key=lambda swap: swap[:3])
    groups[part][groups[part].index(taken)] = given
    groups[donor][groups[donor].index(given)] = taken
    return len(given.samples) + len(taken.samples)


def _lost(members: Sequence[Group], leaving: Group, coming: Group) -> set[int]:
    """Return the classes that a part would no longer hold if one of its groups made room for another."""
    return {
        index
        for index in leaving.classes - coming.classes
        if not any(index in group.classes for group in members if group is not leaving)
    }
