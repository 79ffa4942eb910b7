"""Images a second in training: ``unetseg fit`` against a plain PyTorch loop over stock smp.Unet.

    python benchmarks/train_throughput.py [--encoder resnet18] [--size 128] [--batch-size 8] [--images 256]
                                          [--rounds 5] [--workers 0] [--quick]

All sides have the same drawn photographs, network, augmentations, loss, schedule and batch size, and save
their state after every epoch; nothing is validated. They take turns, an epoch each, so that a machine that
grows slower or faster does so for all of them. The first epoch does not count; each further one is a round,
and the median over the rounds is printed with its range.

    as it comes    the loop computes in float32, channels first, and reads every file in every epoch
    like for like  the loop has fit's precision, memory format and fused optimiser, and keeps decoded images
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch.utils.data import DataLoader, Dataset

from unetseg.config import RunConfig
from unetseg.data.augment import Augmentation
from unetseg.data.datasets.open import open_dataset
from unetseg.models.hardware import Hardware, choose_hardware
from unetseg.runs import Run
from unetseg.training.train import train

SIDE = 256
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
QUICK = {"images": 64, "rounds": 2}


def draw_photographs(folder: Path, count: int) -> None:
    """Write JPEGs of blurred noise with a brighter disc, and its mask; a few more for val and test."""
    generator = np.random.default_rng(0)
    for split, images in (("train", count), ("val", 2), ("test", 2)):
        names = [f"{split}{index}" for index in range(images)]
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            mask = np.zeros((SIDE, SIDE), np.uint8)
            x, y, radius = (int(value) for value in generator.integers((60, 60, 30), (200, 200, 60)))
            cv2.circle(mask, (x, y), radius, 255, -1)
            noise = cv2.GaussianBlur(generator.normal(0, 60, (SIDE, SIDE, 3)), (0, 0), 1.5)
            image = (100 + noise + mask[..., None] / 5).clip(0, 255).astype(np.uint8)
            for path, pixels in ((f"images/{name}.jpg", image), (f"masks/{name}.png", mask)):
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(cv2.imencode(Path(path).suffix, pixels)[1].tobytes())


class Files(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """What such a loop usually reads: a file, augmented, normalised, channels first."""

    def __init__(self, folder: Path, config: RunConfig, keep: bool) -> None:
        self.paths = [
            folder / "images" / f"{name}.jpg" for name in (folder / "train.txt").read_text().split()
        ]
        self.augment = Augmentation(config.augment, config.size, config.foreground_crops)
        self.kept = [self.read(path) for path in self.paths] if keep else None

    def read(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        mask = cv2.imread(str(path.parent.parent / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        return image, mask // 255

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        pair = self.read(self.paths[index]) if self.kept is None else self.kept[index]
        image, mask = self.augment(*pair, seed=int(torch.randint(2**31, ())))
        normalised = ((image - MEAN) / DEVIATION).transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(normalised)), torch.from_numpy(mask).float()


def plain_loop(folder: Path, run: Path, config: RunConfig, hardware: Hardware, like: bool) -> Iterator[None]:
    """Train as a short script would, yielding after every epoch; ``like`` fit where that is a choice."""
    model = smp.Unet(config.encoder, encoder_weights=None, classes=1).to(memory_format=hardware.memory_format)
    loader = DataLoader(
        Files(folder, config, keep=like),
        config.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=config.workers or 0,
        persistent_workers=bool(config.workers),
    )
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=like
    )
    steps = config.epochs * len(loader)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.lr, steps, pct_start=config.warmup)
    pixel_loss, dice_loss = smp.losses.SoftBCEWithLogitsLoss(), smp.losses.DiceLoss("binary")
    for _ in range(config.epochs):
        model.train()
        total = 0.0
        for images, masks in loader:
            with hardware.autocast():
                logits = model(images.to(memory_format=hardware.memory_format)).float()
            target = masks.unsqueeze(1)
            loss = pixel_loss(logits, target) + dice_loss(logits, target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        torch.save({"model": model.state_dict(), "optimizer": optimiser.state_dict()}, run / "plain.ckpt")
        yield


class Turns:
    """Lets a plain loop train an epoch after each epoch of fit, and keeps the seconds of all.

    Args:
        loops: by the name of the side.
    """

    def __init__(self, loops: dict[str, Iterator[None]]) -> None:
        self.loops = loops
        self.seconds: dict[str, list[float]] = {side: [] for side in ("fit", *loops)}
        self.started = time.perf_counter()

    def hear(self, line: str) -> None:
        """Take fit's log: it has just finished an epoch, and waits until the others have, too."""
        if not line.startswith("epoch "):
            return
        self.seconds["fit"].append(time.perf_counter() - self.started)
        for side, loop in self.loops.items():
            started = time.perf_counter()
            next(loop)
            self.seconds[side].append(time.perf_counter() - started)
        print("  ".join(f"{side} {values[-1]:.2f} s" for side, values in self.seconds.items()), flush=True)
        self.started = time.perf_counter()


def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Return images a second of each side, a number a round."""
    config = RunConfig(
        data=str(folder),
        encoder=options.encoder,
        size=options.size,
        batch_size=options.batch_size,
        epochs=1 + options.rounds,
        workers=options.workers,
        trainer={"limit_val_batches": 0},
    )
    equal = choose_hardware(config)
    usual = Hardware(equal.device, "float32", channels_last=False)
    print(f"fit computes on {equal}; the loop on {usual}, and like fit", flush=True)
    run = folder / "run"
    run.mkdir()
    turns = Turns(
        {
            "as it comes": plain_loop(folder, run, config, usual, like=False),
            "like for like": plain_loop(folder, run, config, equal, like=True),
        }
    )
    train(config, open_dataset(str(folder)), Run(run), turns.hear)
    trained = options.images // options.batch_size * options.batch_size
    return {side: [trained / each for each in seconds[1:]] for side, seconds in turns.seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a look: 64 images and 2 rounds")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        draw_photographs(folder, options.images)
        speeds = measure(options, folder)
    fit = speeds.pop("fit")
    for side, loop in speeds.items():
        ratios = [ours / theirs for ours, theirs in zip(fit, loop, strict=True)]
        print(
            f"{side}: fit {median(fit):.1f} images/s, the loop {median(loop):.1f}, "
            f"ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
