"""From the names of runs and exported models to one predictor."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.export_formats import EXPORT_FORMATS
from unetseg.inference.object_labels import MASK_RULE, ObjectRule
from unetseg.inference.predictor import Predictor
from unetseg.inference.weights import not_ours, predictor_from_weights
from unetseg.runs import Run, find_run
from unetseg.training import checkpoints

SHARED_WEIGHTS = "model.safetensors"  # of a folder that is shared in place of a run


def find_models(names: Sequence[str]) -> list[Run | Path]:
    """Return what ``--run`` names: runs, or exported models; the newest finished run if it names none.

    Raises:
        UsageError: if there is none of a name.
    """
    return [_find(name) for name in names] if names else [find_run(None)]


def load_models(
    models: Sequence[Run | Path],
    device: str = "auto",
    precision: str | None = None,
    *,
    flips: bool = False,
    threshold: float = 0.5,
) -> Predictor:
    """Load runs and exported models as one predictor; several average their probabilities.

    Args:
        models: runs, ``.onnx`` and ``.safetensors`` files.
        device: auto, cpu, cuda or mps; ONNX models run on the CPU.
        precision: auto, float32, bfloat16 or float16; None for that of the training;
            ONNX models have their own.
        flips: average over the flips of each image, too.
        threshold: probability above which a pixel is foreground, where there is one foreground class.

    Raises:
        UsageError: if their classes differ, or a threshold is given for several foreground classes.
        UnetsegError: if a file is missing, damaged or not one of ours.
    """
    loaded = [_load(model, device, precision) for model in models]
    first = loaded[0]
    for model, each in zip(models, loaded, strict=True):
        if each.classes != first.classes:
            raise UsageError(
                f"{path_of(model)}: its classes ({', '.join(each.classes)}) are not those of "
                f"{path_of(models[0])} ({', '.join(first.classes)}); runs of an ensemble must have the same"
            )
        if not each.pixels.reads_like(first.pixels):
            raise UsageError(
                f"{path_of(model)}: reads images as {each.pixels.reading}, and {path_of(models[0])} as "
                f"{first.pixels.reading}; runs of an ensemble must read alike"
            )
    if threshold != 0.5 and len(first.classes) != 2:
        raise UsageError(f"--threshold: is for one foreground class; {path_of(models[0])} has several")
    members = [member for each in loaded for member in each.members]
    rules = [each.object_rule for each in loaded]
    learned = all(rule.learned for rule in rules)
    rule = ObjectRule(fmean(rule.depth for rule in rules), learned=True) if learned else MASK_RULE
    temperature = first.temperature if len(loaded) == 1 else 1.0  # a mean of several is less sure by itself
    return Predictor(
        members,
        first.classes,
        first.colours,
        flips=flips,
        threshold=threshold,
        object_rule=rule,
        temperature=temperature,
        appearance=first.appearance,
    )


def load_predictor(run: Run, device: str = "auto", precision: str | None = None) -> Predictor:
    """Load the best weights of a run; the arguments are those of ``predictor_from_weights``.

    Raises:
        UnetsegError: if the checkpoint is missing, damaged or not one of ours.
    """
    if run.fold(0).config_file.is_file() and not run.best.is_file():
        raise UsageError(
            f"{run.path}: consists of folds, each with a net of its own; name one, such as {run.fold(0).path}"
        )
    content = checkpoints.load(run.best)
    try:
        state, settings = content["state_dict"], content["inference"]
    except KeyError as error:
        raise not_ours(run.best, error) from error
    return predictor_from_weights(run.best, state, settings, device, precision)


def _find(name: str) -> Run | Path:
    shared = Path(name) / SHARED_WEIGHTS
    if shared.is_file() and not Run(Path(name)).best.is_file():
        return shared  # a folder that 'unetseg export --format card' wrote
    if _format_name(Path(name)) not in EXPORT_FORMATS:
        return find_run(name)
    if not Path(name).is_file():
        raise UsageError(f"{name}: no such file; check the path")
    return Path(name)


def _load(model: Run | Path, device: str, precision: str | None) -> Predictor:
    if isinstance(model, Run):
        return load_predictor(model, device, precision)
    if _format_name(model) not in EXPORT_FORMATS:
        endings = " or ".join(f".{name}" for name in EXPORT_FORMATS)
        raise UsageError(f"{model}: is no exported model; its name must end in {endings}")
    if model.is_file() and model.stat().st_size == 0:
        raise UnetsegError(f"{model}: is empty; export it again")
    return EXPORT_FORMATS[_format_name(model)].load(model, device, precision)


def _format_name(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


def path_of(model: Run | Path) -> Path:
    """Return the folder of a run, the file of an exported model."""
    return model.path if isinstance(model, Run) else model
