"""A folder of images in, a folder of masks out."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from unetseg.data.images.collisions import find_images_apart
from unetseg.data.images.find import FoundImage, RefusedImage
from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.folder.formats import FORMATS
from unetseg.inference.folder.jobs import OBJECTS, TABLE, Job, OutputOptions, plan_jobs, without_outputs
from unetseg.inference.folder.makers import Maker, require_same_maker
from unetseg.inference.folder.map_inputs import check_places
from unetseg.inference.folder.object_measures import object_columns
from unetseg.inference.folder.object_table import ObjectTable
from unetseg.inference.folder.pipeline import FailedImage, FolderResult, Pipeline, Watch, silent
from unetseg.inference.folder.prediction_table import PredictionTable, Row
from unetseg.inference.folder.review import require_no_review, write_review
from unetseg.inference.predictor import Predictor
from unetseg.inference.skip_reliance import ExplainingPredictor
from unetseg.utilities.files import abandoned_parts, plain_write_errors, write_bytes
from unetseg.utilities.locks import one_writer
from unetseg.utilities.signals import Stopped
from unetseg.utilities.text import printable

__all__ = ["FailedImage", "FolderResult", "predict_folder", "predict_images"]


def predict_folder(
    predictor: Predictor, inputs: Sequence[str | Path], output: Path, options: OutputOptions
) -> FolderResult:
    """Write one mask an image, of exactly the image's size, and ``predictions.csv``.

    Args:
        predictor: of one or more runs.
        inputs: files, folders or globs; sub-folders are kept. ``-`` reads names from standard input.
        output: the masks' folder.
        options: what to write.

    Returns:
        What was done, and the images that failed; one bad file stops no other.

    Raises:
        UsageError: if an input is missing, two would write the same file, or a file would be written over.
        UnetsegError: if nothing more can be written, as on a full disk.
    """
    found, refused = find_images_apart(inputs, FORMATS[options.format].suffix)
    return predict_images(predictor, found, output, options, refused=refused)


def predict_images(
    predictor: Predictor,
    found: Sequence[FoundImage],
    output: Path,
    options: OutputOptions,
    watch: Watch = silent,
    refused: Sequence[RefusedImage] = (),
    maker: Maker | None = None,
) -> FolderResult:
    """Do what ``predict_folder`` does, for images that were found already.

    Args:
        predictor: of one or more runs.
        found: the images.
        output: the masks' folder.
        options: what to write.
        watch: is told what is being done, and returns what is then told (done, in all).
        refused: files that were found and are not taken; each is a failed image, with its row.
        maker: what makes the masks, for the table; masks of another are not gone on with.
    """
    images = without_outputs(found, output)
    if len(images) < len(found):
        warnings.warn(
            f"{printable(output)}: {len(found) - len(images)} images in the output folder are left out",
            stacklevel=2,
        )
    own = predictor.own if isinstance(predictor, ExplainingPredictor) else predictor
    if options.explain_skips and not isinstance(predictor, ExplainingPredictor):
        predictor = ExplainingPredictor(predictor)
    jobs = plan_jobs(images, output, predictor.classes, options)
    check_places(images, options.format)
    if options.tile is not None or options.overlap is not None:
        predictor.tiling(1 << 20, 1 << 20, options.tile, options.overlap)  # refuses wrong ones early
    if options.review:
        require_no_review(output)
    _make_folder(output)
    with one_writer(output):
        skips = predictor.names if isinstance(predictor, ExplainingPredictor) else ()
        table = PredictionTable(output, predictor.classes, str(maker or ""), skips)
        objects = ObjectTable(output, object_columns(predictor.pixels.count)) if options.objects else None
        if maker is not None and options.continue_:
            require_same_maker(maker, jobs, table.makers(), output)
        _check_beside(output, options, table)
        table.begin()
        _remove_abandoned(jobs)
        result = FolderResult(len(jobs) + len(refused), predictor.classes)
        for each in refused:
            table.add(Row(each.image.relative.as_posix(), None, 0.0, error=each.reason))
            result.failures.append(FailedImage(each.image.path, each.reason))
        try:
            Pipeline(predictor, options, table, result, watch, objects).run(jobs)
        except BaseException as error:
            with suppress(
                UnetsegError
            ):  # on a full disk the journal keeps the rows, and --continue takes them
                _write_tables(table, objects)
            if isinstance(error, (Stopped, UnetsegError)):
                error.args = (f"{error}; {_how_to_go_on(result, output, options)}",)
            raise
        _write_tables(table, objects)
        if options.review:
            result.review = write_review(jobs, table.doubts(), output, own, options)
        _write_beside(jobs, output, predictor, options, _made_before(table, output, options, maker))
        return result


def _write_tables(table: PredictionTable, objects: ObjectTable | None) -> None:
    table.write()
    if objects is not None:
        objects.write()


def _check_beside(output: Path, options: OutputOptions, table: PredictionTable) -> None:
    """Refuse to write over a file of the user's that is called as the one for all masks of a format."""
    name = FORMATS[options.format].beside
    if name is not None and (output / name).exists() and not _made_before(table, output, options, None):
        raise UsageError(
            f"{printable(output / name)}: is not of an earlier 'unetseg predict', and would be written over; "
            "move it away, or choose another folder with -o"
        )


def _made_before(
    table: PredictionTable, output: Path, options: OutputOptions, maker: Maker | None
) -> dict[str, Path]:
    """Return the masks of the format by the images' names in the table, of one maker where it is given."""
    suffix = FORMATS[options.format].suffix
    named = {
        file: (output / file).with_suffix(suffix)
        for file, text in table.makers().items()
        if maker is None or maker.made(text)
    }
    return {file: mask for file, mask in named.items() if mask.exists()}


def _write_beside(
    jobs: Sequence[Job],
    output: Path,
    predictor: Predictor,
    options: OutputOptions,
    before: Mapping[str, Path],
) -> None:
    """Write the file that a format has once for all masks of a folder, those of before included."""
    format = FORMATS[options.format]
    if format.beside is None or format.gather is None:
        return
    mine = {job.image.relative.as_posix(): job.mask for job in jobs if job.finished}
    known = {*mine.values()}
    others = {file: mask for file, mask in before.items() if mask not in known}
    files = dict(sorted((others | mine).items()))
    path = output / format.beside
    with plain_write_errors(path):
        write_bytes(path, format.gather(files, predictor.classes, predictor.colours))


def _how_to_go_on(result: FolderResult, output: Path, options: OutputOptions) -> str:
    done = f"{result.written + result.kept} of {result.total} masks are in {printable(output)}, whole"
    if options.overwrite:
        return f"{done}; run the same command again"
    return f"{done}; go on with the same command and --continue"


def _make_folder(output: Path) -> None:
    try:
        with plain_write_errors(output):
            output.mkdir(parents=True, exist_ok=True)
    except UnetsegError as error:
        if isinstance(error.__cause__, (FileExistsError, NotADirectoryError)):
            raise UsageError(f"{printable(output)}: is a file; name a folder with -o") from error
        raise


def _remove_abandoned(jobs: Sequence[Job]) -> None:
    """Remove what a killed process left half-written beside the masks, but for the journals of its table."""
    for folder in {job.mask.parent for job in jobs}:
        for part in abandoned_parts(folder):
            if not part.name.endswith((TABLE, OBJECTS)):
                part.unlink(missing_ok=True)
