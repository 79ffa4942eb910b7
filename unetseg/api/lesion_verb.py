"""Ask trained nets what they rely on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unetseg.api.plain_calls import plain_calls
from unetseg.config import DEVICES
from unetseg.config_checks import check_choice
from unetseg.errors import UsageError
from unetseg.probes.lesion.modes import DELETED, MODES, OUTPUTS
from unetseg.runs import Run, find_run
from unetseg.utilities.locks import one_writer_of
from unetseg.utilities.progress import Report, say_nothing, show_progress
from unetseg.utilities.text import printable
from unetseg.utilities.waiting import choose_waiting

if TYPE_CHECKING:
    from unetseg.models.lesioned_unet import Lesion
    from unetseg.probes.lesion.effects import Lesions
    from unetseg.probes.lesion.retraining import Retrained


@dataclass(frozen=True)
class Lesioned:
    """What ``lesion`` found.

    Attributes:
        lesions: scores and effects, by what is off.
        not_deleted: blocks that change the shape and so were left in place.
        retrained: what a study found for nets that were trained without these skips, by the levels.
        written: files.
    """

    lesions: "Lesions"
    not_deleted: tuple[str, ...]
    retrained: "Mapping[Lesion, Retrained] | None"
    written: tuple[Path, ...]


@plain_calls
def lesion(
    *runs: str | Path | Run,
    mode: str | None = None,
    all: bool = False,
    delete_blocks: bool = False,
    against: str | Path | None = None,
    split: str = "test",
    device: str = "auto",
    output: str | Path | None = None,
    report: Report = say_nothing,
) -> Lesioned:
    """Switch off each long skip of a trained net, without retraining, and score what is left.

    Args:
        *runs: a run, or the seeds of one configuration.
        mode: what stands in a skip's place: zero (if not given), mean, each channel's over the training
            images, or shuffle, the image's own features at other positions.
        all: every combination of levels, 2^L of them.
        delete_blocks: instead delete one block of the encoder at a time (Veit et al. 2016).
        against: a study's folder; what nets lost that it trained without is shown beside.
        split: train, val or test.
        device: auto, cpu, cuda or mps.
        output: folder for ``lesions.csv``, ``.json`` and ``.png``; ``RUN/lesion-MODE…`` if not given.
        report: is given the tables as text, before the files are written.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.

    Examples:
        >>> found = unetseg.lesion("runs/first")
        >>> list(found.lesions.effects)
        ['intact', 'without 0']
    """
    _check_lesion(mode, all, delete_blocks, against, device)
    if not runs:
        raise UsageError("lesion(): name a run, or several seeds of one configuration")
    found = [run if isinstance(run, Run) else find_run(run) for run in runs]
    kind = "blocks" if delete_blocks else mode or "zero"
    own = found[0].path / _lesion_folder(kind, all, split, against)
    folder = own if output is None else Path(output)
    with one_writer_of(OUTPUTS, folder):
        from unetseg.data.datasets.open import open_data
        from unetseg.evaluation.run import sample_fingerprint, samples_to_score

        choose_waiting()
        from unetseg.probes.lesion import effects, lesion_outputs, retraining

        effects.require_one_configuration(found)
        for run in found:
            if run.standing:
                report(f"note: {printable(run.standing)}")
        config = found[0].config()
        dataset = open_data(config)
        retrained = None
        if against is not None:
            images = sample_fingerprint(samples_to_score(dataset, split, dataset.classes))
            retrained = retraining.read_retrained(Path(against), config, images)
        progress = show_progress("scoring")
        fixed: list[str] = []
        if delete_blocks:
            lesions, fixed = effects.delete_blocks(
                found, dataset, split=split, device=device, progress=progress
            )
        else:
            lesions = effects.lesion_skips(
                found, dataset, kind, every=all, split=split, device=device, progress=progress
            )
        report(lesion_outputs.lesion_text(lesions, DELETED if delete_blocks else MODES[kind].sentence))
        if fixed:
            report(f"not deleted, as they change the shape: {', '.join(fixed)}")
        if retrained is not None:
            report(f"\n{lesion_outputs.retrained_text(lesions, retrained, str(against))}")
        written = lesion_outputs.write_lesions(lesions, {"mode": kind, "not_deleted": fixed}, folder)
        return Lesioned(lesions, tuple(fixed), retrained, tuple(written))


def _check_lesion(
    mode: str | None, all: bool, delete_blocks: bool, against: str | Path | None, device: str
) -> None:
    if mode is not None:
        check_choice("--mode", mode, MODES)
    check_choice("--device", device, DEVICES)
    if delete_blocks:
        given = [name for name, value in (("mode", mode), ("all", all), ("against", against)) if value]
        if given:
            raise UsageError(f"--delete-blocks: deletes blocks, not skips; leave out --{given[0]}")


def _lesion_folder(kind: str, all: bool, split: str, against: str | Path | None) -> str:
    """Return a name of its own for whatever is asked, so that no question's results bar another's."""
    parts = ["lesion", kind]
    parts += ["all"] if all else []
    parts += [split] if split != "test" else []
    parts += ["against"] if against else []
    return "-".join(parts)
