"""Times ``unetseg predict`` against a plain script on the same photographs with the same trained weights.

    python benchmarks/predict_throughput.py [--images DIR] [--run RUN] [--count 200] [--rounds 3] [--quick]

The plain script is what one writes first with segmentation_models_pytorch: cv2.imread, normalise, pad to a
multiple of 32, float32, one image at a time, argmax, cv2.imwrite. Both run in processes of their own, in
turns, with PyTorch's own number of threads. Reported are the medians of

- seconds from the first image to the last mask, and their ratio;
- the same with the start of the process, imports and loading of the weights;
- the share of that time in which the network ran;
- the share of pixels in which the masks agree.

Without ``--images``, 500×375 photographs are drawn; of a folder, the first that have this size (or 375×500)
are taken. Without ``--run``, a ResNet-18 U-Net is trained for some epochs on drawn photographs.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np

SIZES = ((375, 500), (500, 375))


# --- the plain script ------------------------------------------------------------------------------


def predict_plainly(weights: str, images: str, output: str) -> None:
    """Predict with segmentation_models_pytorch alone; print what it took."""
    import segmentation_models_pytorch as smp
    import torch

    content = torch.load(weights, weights_only=True)
    model = smp.Unet("resnet18", encoder_weights=None, classes=1)
    model.load_state_dict(content["state_dict"])
    model.eval()
    mean, deviation = (np.array(content[key], np.float32) for key in ("mean", "deviation"))
    os.makedirs(output)
    started, in_network = time.perf_counter(), 0.0
    for name in sorted(os.listdir(images)):
        image = cv2.cvtColor(cv2.imread(os.path.join(images, name)), cv2.COLOR_BGR2RGB)
        height, width = image.shape[:2]
        scaled = (image.astype(np.float32) / 255 - mean) / deviation
        padded = np.pad(scaled, ((0, -height % 32), (0, -width % 32), (0, 0)), mode="edge")
        tensor = torch.from_numpy(padded.transpose(2, 0, 1)[None])
        before = time.perf_counter()
        with torch.no_grad():
            logits = model(tensor)
        in_network += time.perf_counter() - before
        both = torch.cat([torch.zeros_like(logits), logits], dim=1)
        mask = both.argmax(dim=1)[0, :height, :width].numpy().astype(np.uint8)
        cv2.imwrite(os.path.join(output, os.path.splitext(name)[0] + ".png"), mask)
    print(json.dumps({"seconds": time.perf_counter() - started, "network": in_network}))


def predict_ours(run: str, images: str, output: str) -> None:
    """Predict as ``unetseg predict`` does; print what it took."""
    import unetseg

    result = unetseg.predict(images, output, run)
    print(json.dumps({"seconds": result.seconds, "network": result.network_seconds}))


# --- photographs and weights -----------------------------------------------------------------------


def draw_photograph(generator: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of textured ellipses on a textured ground, and the mask of the ellipses."""

    def texture(scale: int) -> np.ndarray:
        coarse = generator.integers(0, 256, (height // scale + 2, width // scale + 2, 3)).astype(np.float32)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)

    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(generator.integers(2, 6))):
        centre = int(generator.integers(width)), int(generator.integers(height))
        axes = int(generator.integers(20, height // 4)), int(generator.integers(20, height // 4))
        cv2.ellipse(mask, centre, axes, float(generator.uniform(0, 180)), 0, 360, 1, -1)
    ground = 0.5 * texture(60) + 0.2 * texture(4) + 30
    figure = 0.3 * texture(30) + 0.5 * texture(8) + [60, 20, 0]
    image = np.where(mask[..., None] == 1, figure, ground) + generator.normal(0, 4, (height, width, 3))
    return image.clip(0, 255).astype(np.uint8), mask


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = pixels[:, :, ::-1] if pixels.ndim == 3 else pixels
    path.write_bytes(cv2.imencode(path.suffix, bgr)[1].tobytes())


def draw_dataset(folder: Path, train: int) -> Path:
    generator = np.random.default_rng(0)
    for split, count in (("train", train), ("val", 4), ("test", 2)):
        names = [f"{split}{index}" for index in range(count)]
        for name in names:
            image, mask = draw_photograph(generator, 240, 320)
            save(folder / "images" / f"{name}.jpg", image)
            save(folder / "masks" / f"{name}.png", mask)
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
    return folder


def collect_photographs(source: Path | None, folder: Path, count: int) -> int:
    """Put ``count`` photographs into a folder: drawn, or links to those of ``source``."""
    folder.mkdir()
    if source is None:
        generator = np.random.default_rng(1)
        for index in range(count):
            save(folder / f"{index:04}.jpg", draw_photograph(generator, *SIZES[index % 4 == 3])[0])
        return count
    from unetseg.data.images.read import image_size

    found = 0
    for path in sorted(source.glob("*.jpg")):
        if found < count and image_size(path) in SIZES and cv2.imread(str(path)) is not None:
            (folder / path.name).symlink_to(path.resolve())
            found += 1
    return found


def export_weights(run: str, path: Path) -> None:
    """Write the weights and the normalisation of a run for the plain script."""
    import torch

    import unetseg

    predictor = unetseg.load(run, "cpu")
    rule = predictor.preprocessing
    if rule.longest is not None:
        sys.exit(f"{run}: its scale rule is {rule.scale}; name a run at native scale")
    content = {"state_dict": predictor.model.state_dict(), "mean": rule.mean, "deviation": rule.deviation}
    torch.save(content, path)


# --- comparison ------------------------------------------------------------------------------------


def measured(*words: object) -> dict[str, float]:
    """Run one of the two in a process of its own."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, *map(str, words)], text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1]) | {"process": time.perf_counter() - started}


def agreement(one: Path, other: Path) -> float:
    """Return the share of pixels that are equal in the masks of two folders."""
    equal = pixels = 0
    for path in sorted(one.glob("*.png")):
        from unetseg.data.images.read import read_labels

        left, right = read_labels(path), read_labels(other / path.name)
        equal += int((left == right).sum())
        pixels += left.size
    return equal / pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=Path, help="a folder of photographs [drawn]")
    parser.add_argument(
        "--run", help="a ResNet-18 run of one foreground class at native scale [trained here]"
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="ten photographs, one round")
    options = parser.parse_args()
    count, rounds = (10, 1) if options.quick else (options.count, options.rounds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = options.run
        if run is None:
            import unetseg

            data = draw_dataset(folder / "set", 24 if options.quick else 64)
            print("training a ResNet-18 U-Net on drawn photographs", flush=True)
            with redirect_stdout(io.StringIO()):
                trained = unetseg.fit(
                    data=str(data),
                    encoder="resnet18",
                    size=128,
                    epochs=4 if options.quick else 15,
                    output=folder / "run",
                )
            run = trained.path
        count = collect_photographs(options.images, folder / "photographs", count)
        export_weights(run, folder / "weights.pt")
        times: dict[str, list[dict[str, float]]] = {"plain": [], "ours": []}
        for number in range(rounds):
            for name, model in (("plain", folder / "weights.pt"), ("ours", run)):
                output = folder / f"{name}-{number}"
                times[name].append(measured(f"--{name}", model, folder / "photographs", output))
        medians = {
            name: {key: statistics.median(each[key] for each in rows) for key in rows[0]}
            for name, rows in times.items()
        }
        equal = agreement(folder / "plain-0", folder / "ours-0")
    print(f"\n{count} photographs, ResNet-18 U-Net, {os.cpu_count()} CPU cores, median of {rounds}")
    print("         images/s  seconds  with start  share in network")
    for name, row in medians.items():
        rate, share = count / row["seconds"], row["network"] / row["seconds"]
        print(f"{name:6} {rate:10.1f} {row['seconds']:8.1f} {row['process']:11.1f} {share:17.3f}")
    plain, ours = medians["plain"], medians["ours"]
    print(
        f"ratio {plain['seconds'] / ours['seconds']:.2f}, with start {plain['process'] / ours['process']:.2f}"
    )
    print(f"pixels that agree with float32: {equal:.2%}")


if __name__ == "__main__":
    worker = {"--plain": predict_plainly, "--ours": predict_ours}.get(
        sys.argv[1] if len(sys.argv) > 1 else ""
    )
    if worker:
        worker(*sys.argv[2:])
    else:
        main()
