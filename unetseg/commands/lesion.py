"""``unetseg lesion``: what a trained net loses when its long skips, or blocks, are switched off."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from unetseg.commands.arguments import Parser
from unetseg.config import DEVICES, check_choice
from unetseg.errors import UsageError
from unetseg.probes.lesion.modes import DELETED, MODES, OUTPUTS
from unetseg.runs import find_run
from unetseg.utilities.files import free_folder
from unetseg.utilities.progress import show_progress
from unetseg.utilities.text import printable


def run(argv: Sequence[str]) -> int:
    """Switch parts of trained runs off, and score what is left."""
    options = _parser().parse(argv)
    _check(options)
    found = [find_run(name) for name in options.runs]
    kind = "blocks" if options.delete_blocks else options.mode or "zero"
    folder = free_folder(Path(options.output or found[0].path / _folder_name(kind, options)), OUTPUTS)
    from unetseg.data.datasets.open import open_data
    from unetseg.evaluation.run import sample_fingerprint, samples_to_score
    from unetseg.probes.lesion import effects as lesion
    from unetseg.probes.lesion import lesion_outputs, retraining

    lesion.require_one_configuration(found)
    config = found[0].config()
    dataset = open_data(config)
    retrained = None
    if options.against:
        images = sample_fingerprint(samples_to_score(dataset, options.split, dataset.classes))
        retrained = retraining.read_retrained(Path(options.against), config, images)
    how = {"split": options.split, "device": options.device, "progress": show_progress("scoring")}
    fixed: list[str] = []
    if options.delete_blocks:
        lesions, fixed = lesion.delete_blocks(found, dataset, **how)
    else:
        lesions = lesion.lesion_skips(found, dataset, kind, every=options.all, **how)
    print(lesion_outputs.lesion_text(lesions, DELETED if options.delete_blocks else MODES[kind].sentence))
    if fixed:
        print(f"not deleted, as they change the shape: {', '.join(fixed)}")
    if retrained is not None:
        print(f"\n{lesion_outputs.retrained_text(lesions, retrained, options.against)}")
    settings = {"mode": kind, "not_deleted": fixed}
    for path in lesion_outputs.write_lesions(lesions, settings, folder):
        print(f"wrote {printable(path)}")
    return 0


def _folder_name(kind: str, options: Namespace) -> str:
    """Return a name of its own for whatever is asked, so that no question's results bar another's."""
    parts = ["lesion", kind]
    parts += ["all"] if options.all else []
    parts += [options.split] if options.split != "test" else []
    parts += ["against"] if options.against else []
    return "-".join(parts)


def _parser() -> Parser:
    parser = Parser(
        "lesion",
        "lesion RUN [RUN ...] [flags]",
        "Switch off each long skip of a trained net, without retraining, and score what is left: what does\n"
        "this net rely on? Several runs are the seeds of one configuration.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the run's folder; or those of several seeds")
    parser.add_argument("--mode", metavar="|".join(MODES), help="what stands in a skip's place [zero]")
    parser.add_argument("--all", action="store_true", help="every combination of levels, 2^L of them")
    parser.add_argument(
        "--delete-blocks", action="store_true", help="instead delete one block of the encoder at a time"
    )
    parser.add_argument(
        "--against", metavar="STUDY", help="show beside it what nets lost that this study trained without"
    )
    parser.add_argument("--split", metavar="train|val|test", default="test", help="the split [test]")
    parser.add_argument("--device", metavar="|".join(DEVICES), default="auto", help="where to compute [auto]")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="for lesions.csv, .json and .png [RUN/lesion-MODE…]"
    )
    return parser


def _check(options: Namespace) -> None:
    if options.mode is not None:
        check_choice("--mode", options.mode, MODES)
    check_choice("--device", options.device, DEVICES)
    if options.delete_blocks:
        given = [name for name in ("mode", "all", "against") if getattr(options, name)]
        if given:
            raise UsageError(f"--delete-blocks: deletes blocks, not skips; leave out --{given[0]}")
