"""The verbs of the command line: parse, call one function, print."""

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from unetseg.arguments import Parser, add_config_flags, config_from, split_trainer_flags
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.files import write_json
from unetseg.runs import find_run, list_runs
from unetseg.signals import Stopped, stop_on_signals

PARTLY_DONE = 3

HELP = """usage: unetseg VERB ...

Train U-Nets, write masks, and measure what each skip connection is worth.

  unetseg fit --skips on                train on the embedded dataset and test: about a minute, no download
  unetseg fit --data FOLDER             train on images/ and masks/ of your own
  unetseg predict images/ -o masks/     write a mask for every image, with the newest run
  unetseg evaluate RUN                  score a run on its test split
  unetseg runs                          list the runs here
  unetseg data list|get|check|export    the datasets

'unetseg VERB --help' shows the flags of a verb. --debug shows the traceback of an error.
"""


def fit(argv: Sequence[str]) -> int:
    """Train and test."""
    argv, trainer = split_trainer_flags(argv)
    parser = Parser("fit", "fit [flags]", "Train a U-Net, test it, and keep the run under checkpoints/.")
    parser.add_argument("--config", metavar="FILE", help="YAML with any of the keys below; flags win")
    parser.add_argument("--print-config", action="store_true", help="print the whole configuration and stop")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="the run's folder [checkpoints/TIME-DATA-SKIPS]"
    )
    add_config_flags(parser)
    options = parser.parse(argv)
    config = config_from(options, trainer)
    if options.print_config:
        print(config.to_yaml(), end="")
        return 0
    from unetseg.evaluation.experiment import run_experiment

    run = run_experiment(config, options.output)
    print(f"next: unetseg predict IMAGES... -o masks/ --run {run.path}")
    return 0


def predict(argv: Sequence[str]) -> int:
    """Write masks."""
    parser = Parser(
        "predict", "predict IMAGES... -o DIR [flags]", "Write one mask an image, at the image's own size."
    )
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGES",
        help="files, folders or globs; - reads names from standard input",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="where the masks go; sub-folders are kept"
    )
    parser.add_argument(
        "--run", metavar="RUN", help="the run to use [the newest finished one under checkpoints/]"
    )
    parser.add_argument("--overlay", action="store_true", help="also write the outlines over the image")
    parser.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute [auto]"
    )
    options = parser.parse(argv)
    run = find_run(options.run)
    from unetseg.inference.folder import predict_folder
    from unetseg.inference.predictor import load_predictor

    print(f"run {run.path}")
    output = Path(options.output)
    predictor = load_predictor(run, options.device)
    written, failures = predict_folder(predictor, options.images, output, overlay=options.overlay)
    for failure in failures:
        print(f"failed: {_printable(failure.reason)}", file=sys.stderr)
    print(f"{written} masks in {output}" + (f", {len(failures)} images failed" if failures else ""))
    return PARTLY_DONE if failures else 0


def evaluate(argv: Sequence[str]) -> int:
    """Score a run."""
    parser = Parser(
        "evaluate", "evaluate RUN [flags]", "Score a run on a split of its dataset, or of another."
    )
    parser.add_argument("run", metavar="RUN", help="the run's folder")
    parser.add_argument("--data", metavar="DATA", help="another dataset of the same classes")
    parser.add_argument("--data-dir", metavar="DIR", help="where the named dataset already lies on disk")
    parser.add_argument("--split", default="test", metavar="train|val|test", help="the split [test]")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers here")
    parser.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute [auto]"
    )
    options = parser.parse(argv)
    run = find_run(options.run)
    from unetseg.evaluation.experiment import evaluate_existing
    from unetseg.evaluation.table import score_table

    summary = evaluate_existing(run, options.data, options.data_dir, options.split, options.device)
    print(score_table(summary))
    if options.json:
        write_json(options.json, summary)
    return 0


def runs(argv: Sequence[str]) -> int:
    """List runs."""
    parser = Parser("runs", "runs", "List the runs under checkpoints/, newest last.")
    parser.parse(argv)
    from unetseg.evaluation.table import run_table

    print(run_table(list_runs()))
    return 0


def data(argv: Sequence[str]) -> int:
    """Show, fetch, check and export datasets."""
    from unetseg.data_commands import COMMANDS

    actions = {name: command for name, (command, _) in COMMANDS.items()}
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: unetseg data ACTION ...\n")
        print("\n".join(f"  unetseg data {usage}" for _, usage in COMMANDS.values()))
        return 0
    if argv[0] not in actions:
        raise UsageError(
            f"unetseg data: no action '{argv[0]}'{did_you_mean(argv[0], actions)} ({', '.join(actions)})"
        )
    return actions[argv[0]](argv[1:])


VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "fit": fit,
    "predict": predict,
    "evaluate": evaluate,
    "runs": runs,
    "data": data,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after ``unetseg``; the process's own if not given.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 3 some inputs failed, 130 and 143 stopped.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with stop_on_signals():
            return _dispatch(words)
    except SystemExit as exit_:  # argparse, after printing help
        return int(exit_.code or 0)
    except (Stopped, Exception) as error:
        if "--debug" in words:
            traceback.print_exc()
        line, code = _explain(error)
        print(f"unetseg: {_printable(line.removeprefix('unetseg: '))}", file=sys.stderr)
        return code


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"unetseg {version('unetseg')}")
        return 0
    if words[0] not in VERBS:
        raise UsageError(
            f"unetseg: no verb '{words[0]}'{did_you_mean(words[0], VERBS) or '; see unetseg --help'}"
        )
    return VERBS[words[0]](words[1:])


def _explain(error: BaseException) -> tuple[str, int]:
    """Return the one plain line for an error, and the exit code."""
    if isinstance(error, (UnetsegError, Stopped)):
        return str(error), error.exit_code
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller --batch-size or --size", 1
    reason = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {reason} (--debug shows where)", 1


def _printable(text: str) -> str:
    """Return ``text`` with the bytes of file names that are no UTF-8 written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def entry() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(main())
