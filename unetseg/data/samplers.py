"""Which image comes when: training order by (seed, epoch), validation with every image exactly once."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

Item = tuple[int, int]
Size = tuple[int, int]


class TrainingSampler(Sampler[Item]):
    """Yield (epoch, index) in an order that depends on the seed and the epoch alone.

    The epoch travels with the index, so that augmentation is a function of (seed, epoch, index) even in
    loader processes that outlive an epoch. With several processes each takes every n-th item of the one
    order, filled up from its start so that all have equally many.
    """

    def __init__(self, length: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.length = length
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to draw; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.length / self.world_size)

    def __iter__(self) -> Iterator[Item]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        order = np.resize(order, len(self) * self.world_size)
        return ((self.epoch, int(index)) for index in order[self.rank :: self.world_size])


class EvaluationBatches(Sampler[list[Item]]):
    """Yield batches of like-sized images, each image counted exactly once over all processes.

    Every process gets equally many batches, since all must take part in each forward pass. Where there are
    too few, a batch is repeated with −1 in place of the epoch: computed, but not counted.

    Args:
        sizes: (height, width) of each image.
        batch_size: how many images of a size make a batch.
        rank: of this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        sizes: Sequence[Size],
        batch_size: Callable[[Size], int],
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        groups: dict[Size, list[int]] = {}
        for index, size in enumerate(sizes):
            groups.setdefault(size, []).append(index)
        batches = [
            [(0, index) for index in members[start : start + batch_size(size)]]
            for size, members in groups.items()
            for start in range(0, len(members), batch_size(size))
        ]
        uncounted = (
            [[(-1, index) for _, index in batches[0]]] * (-len(batches) % world_size) if batches else []
        )
        self.batches = [*batches, *uncounted][rank::world_size]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Item]]:
        return iter(self.batches)
