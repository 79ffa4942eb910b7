"""``unetseg probe``: how the gradient flows through a network, what it costs, and its loss surface."""

import time
from collections.abc import Sequence

from unetseg.api import probe
from unetseg.api.settings import NetSettings
from unetseg.commands.arguments import Parser, add_config_flags, add_file_flag, settings_from
from unetseg.runs import CHECKPOINTS
from unetseg.utilities.progress import print_line
from unetseg.utilities.text import printable


def run(argv: Sequence[str]) -> int:
    """Measure a network, the arms of a study, or the loss surface of runs."""
    options = _parser().parse(argv)
    output = options.output
    if options.landscape is not None and not output:
        output = CHECKPOINTS / time.strftime("landscape-%Y%m%d-%H%M%S")
    found = probe(
        options.study,
        run=options.run,
        arms=options.arms.split(",") if options.arms else None,
        seeds=options.seeds,
        cost=options.cost,
        landscape=options.landscape,
        directions=options.directions,
        steps=options.steps,
        radius=options.radius,
        output=output,
        config=options.config,
        report=print_line,
        **settings_from(options, NetSettings),
    )
    for path in found.written:
        print(f"wrote {printable(path)}")
    return 0


def _parser() -> Parser:
    parser = Parser(
        "probe",
        "probe [PRESET|FILE] [flags]\n       unetseg probe --run RUN [flags]\n"
        "       unetseg probe --landscape RUN [RUN ...] [flags]",
        "Measure how the gradient of a real batch flows through a network before training: its norm at\n"
        "every layer, and what each long skip brings back. With a study, all of its arms, overlaid.\n"
        "Or draw the training loss in slices round the weights of runs, and measure how rough it is.",
    )
    parser.add_argument("study", nargs="?", metavar="PRESET|FILE", help="a study whose arms to overlay")
    parser.add_argument("--run", metavar="RUN", help="a trained run, beside its own first weights")
    parser.add_argument("--arms", metavar="A,B", help="only these arms of the study, and its reference")
    parser.add_argument("--seeds", type=int, metavar="N", help="first weights and crops [3]")
    parser.add_argument("--cost", action="store_true", help="measure memory and time, too")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="write probe.csv, probe.png and, with --cost, probe_cost.csv here; or landscape.png, .csv and\n"
        ".json [checkpoints/landscape-TIME]",
    )
    add_file_flag(parser)
    surface = parser.add_argument_group("loss surface")
    surface.add_argument(
        "--landscape", nargs="+", metavar="RUN", help="runs to draw side by side, on one scale"
    )
    surface.add_argument(
        "--directions", type=int, metavar="N", help="random ones; two of them span the map [5]"
    )
    surface.add_argument("--steps", type=int, metavar="N", help="points along each, an odd number [17]")
    surface.add_argument(
        "--radius", type=float, metavar="X", help="how far: 1 moves each filter by its own length [1]"
    )
    add_config_flags(parser, NetSettings)
    return parser
