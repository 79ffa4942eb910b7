"""Load a trained run, write masks with it, and ship it as one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unetseg.api.plain_calls import plain_calls
from unetseg.config import DEVICES, PRECISIONS
from unetseg.config_checks import check_choice
from unetseg.errors import UsageError
from unetseg.inference.export_formats import EXPORT_FORMATS
from unetseg.runs import Run, find_run
from unetseg.utilities.progress import Report, print_line, say_nothing, show_progress
from unetseg.utilities.text import printable
from unetseg.utilities.waiting import choose_waiting

if TYPE_CHECKING:
    from unetseg.inference.folder.pipeline import FolderResult
    from unetseg.inference.predictor import Predictor

TTA = ("flips", "none")


@plain_calls
def load(run: str | Path | Run | None = None, device: str = "auto") -> "Predictor":
    """Load a run as a function from images (H×W×3 uint8) to masks (H×W uint8).

    Args:
        run: its folder; the newest finished one under ``checkpoints/``, which is printed, if not given.
        device: auto, cpu, cuda or mps.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.

    Examples:
        >>> predictor = unetseg.load("runs/first")
        >>> predictor(np.zeros((40, 30, 3), np.uint8)).shape
        (40, 30)
    """
    from unetseg.inference.loading import load_predictor

    return load_predictor(_chosen(run, say_nothing), device)


def _chosen(run: str | Path | Run | None, report: Report) -> Run:
    """Return the run; one that was not named is the newest, which is said in any case."""
    found = run if isinstance(run, Run) else find_run(run)
    (report if run is not None else print_line)(f"run {printable(found.path)}")
    return found


@plain_calls
def predict(
    images: str | Path | Sequence[str | Path],
    output: str | Path,
    run: str | Path | Run | Sequence[str | Path | Run] | None = None,
    *,
    tta: str = "none",
    threshold: float = 0.5,
    device: str = "auto",
    precision: str | None = None,
    format: str = "png",
    overlay: bool = False,
    save_probabilities: bool = False,
    min_area: int = 0,
    objects: bool = False,
    explain_skips: bool = False,
    review: int = 0,
    overwrite: bool = False,
    continue_: bool = False,
    max_pixels: int | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    report: Report = print_line,
) -> "FolderResult":
    """Write one mask an image, at the image's own size, and ``predictions.csv``.

    Args:
        images: a file, folder or glob, or several; sub-folders are kept.
        output: the masks' folder.
        run: a run or an exported file, or several to average; the newest finished run under ``checkpoints/``
            if not given.
        tta: ``flips`` averages over the image's four flips.
        threshold: foreground above this probability, where there is one foreground class.
        device: auto, cpu, cuda or mps.
        precision: number format; that of the training if not given.
        format: of the masks: png, tiff, geojson, or one that annotation tools read: labelme, coco, yolo,
            cvat, qupath or imagej.
        overlay: also write ``NAME.overlay.jpg``, the mask over the image.
        save_probabilities: also write each foreground class's probability as a 16-bit grey image.
        min_area: foreground regions of fewer pixels become background; with ``objects``, objects.
        objects: tell touching objects apart: number them in a 16-bit image beside each mask, measure them in
            ``objects.csv``, and write each as one in formats of annotation tools.
        explain_skips: also write ``NAME.skips.png``, which colours each pixel by the long skip whose lesion
            turns it over, and the shares of the colours in ``predictions.csv``; for one run in PyTorch.
        review: copy so many of the most doubtful images, with their overlays, into ``review/`` in the masks'
            folder, the worst first.
        overwrite: replace masks that are already there.
        continue_: leave out images whose mask is already there; masks of another run, or of other settings,
            are refused.
        max_pixels: the largest image that is decoded whole; Pillow's own limit if not given.
        tile: side of the tiles of large images, pixels; by the free memory if not given.
        overlap: of neighbouring tiles, pixels; what the network needs if not given.
        report: is told which run it is, and whether it was interrupted; that is printed if not given.

    Returns:
        How many masks were written, and the images that failed; one bad file stops no other.

    Raises:
        UsageError: if an input is missing, two would write the same file, or a file would be written over.
        UnetsegError: if the run cannot be read, or nothing more can be written, as on a full disk.

    Examples:
        >>> result = unetseg.predict("cells/images", "masks", "runs/first", report=log.append)
        >>> result.written, len(result.failures)
        (14, 0)
    """
    from unetseg.data.images.collisions import find_images_apart
    from unetseg.inference.folder.formats import FORMATS
    from unetseg.inference.folder.jobs import OutputOptions

    _check_computation(tta, threshold, device, precision)
    outputs = OutputOptions(
        format=format,
        overlay=overlay,
        save_probabilities=save_probabilities,
        min_area=min_area,
        objects=objects,
        explain_skips=explain_skips,
        review=review,
        overwrite=overwrite,
        continue_=continue_,
        max_pixels=max_pixels,
        tile=tile,
        overlap=overlap,
    )
    inputs = [images] if isinstance(images, (str, Path)) else list(images)
    found, refused = find_images_apart(inputs, FORMATS[format].suffix)
    choose_waiting()
    from unetseg.inference.folder.makers import Maker
    from unetseg.inference.folder.predict_folder import predict_images
    from unetseg.inference.loading import find_models, load_models, path_of

    runs = [] if run is None else [run] if isinstance(run, (str, Path, Run)) else list(run)
    models = find_models([str(each.path if isinstance(each, Run) else each) for each in runs])
    predictor = load_models(models, device, precision, flips=tta == "flips", threshold=threshold)
    report(f"run {', '.join(printable(path_of(model)) for model in models)} ({predictor})")
    for model in models:
        if isinstance(model, Run) and model.standing:
            report(f"note: {printable(model.standing)}")
    if objects and explain_skips and predictor.object_rule.learned:
        raise UsageError(
            "--objects, --explain-skips: of a run that learned objects only one at a time; give them to two "
            "commands and folders"
        )
    if objects:
        predictor.with_depth = predictor.object_rule.learned
        report(f"objects by {predictor.object_rule}")
    if explain_skips:
        from unetseg.inference.skip_reliance import ExplainingPredictor

        predictor = ExplainingPredictor(predictor)
        report(f"skip maps: {predictor.legend}")
    maker = Maker.of(
        models,
        flips=tta == "flips",
        threshold=threshold,
        precision=precision,
        min_area=min_area,
        objects=str(predictor.object_rule) if objects else "",
        tile=tile,
        overlap=overlap,
        format=format,
    )
    return predict_images(predictor, found, Path(output), outputs, show_progress, refused, maker)


def _check_computation(tta: str, threshold: float, device: str, precision: str | None) -> None:
    check_choice("--tta", tta, TTA)
    check_choice("--device", device, DEVICES)
    if precision is not None:
        check_choice("--precision", precision, PRECISIONS)
    if not 0 < threshold < 1:
        raise UsageError(f"--threshold {threshold}: must lie between 0 and 1")


@plain_calls
def export(
    run: str | Path | Run | None = None,
    *,
    format: str = "onnx",
    output: str | Path | None = None,
    overwrite: bool = False,
    report: Report = say_nothing,
) -> Path:
    """Write a run's best weights, and all that inference must know, as one file, and return its path.

    Args:
        run: its folder; the newest finished one under ``checkpoints/`` if not given.
        format: ``onnx`` runs anywhere and is checked against PyTorch; ``safetensors`` loads back into it;
            ``card`` is a folder to share, with a model card.
        output: the file, or the card's folder; ``model.onnx``, ``model.safetensors`` or ``card`` in the run's
            folder if not given.
        overwrite: replace the file if it is there.
        report: is told which run it is, and whether it was interrupted; one that is not named is printed.

    Raises:
        UsageError: if the file has another suffix or is taken, or a package that ONNX needs is missing.
        UnetsegError: if the run cannot be read, ONNX cannot express its network, or the file cannot be
            written.

    Examples:
        >>> unetseg.export("runs/first", format="safetensors").name
        'model.safetensors'
    """
    check_choice("--format", format, (*EXPORT_FORMATS, "card"))
    found = _chosen(run, report)
    if found.standing:
        report(f"note: {printable(found.standing)}")
    if format == "card":
        from unetseg.report.model_card import write_card

        return write_card(found, Path(output or found.path / "card"), overwrite=overwrite)
    from unetseg.inference.export import export_run

    return export_run(found, format, None if output is None else Path(output), overwrite=overwrite)
