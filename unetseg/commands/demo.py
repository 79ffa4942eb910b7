"""``unetseg demo``: a page on this machine on which the long skips of a trained net are turned down."""

import threading
from collections.abc import Sequence
from typing import NoReturn

from unetseg.commands.arguments import Parser, add_device_flag
from unetseg.errors import UsageError
from unetseg.runs import Run, find_run
from unetseg.utilities.text import printable
from unetseg.utilities.waiting import choose_waiting


def run(argv: Sequence[str]) -> int:
    """Serve the page until it is stopped."""
    parser = Parser(
        "demo",
        "demo [RUN] [RUN] [flags]",
        "Serve a page on this machine on which each long skip of a trained net has a slider, and the mask\n"
        "of an image follows. Of two runs the second lies under a wipe. Needs pip install 'unetseg[demo]'.",
    )
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="one run, or two [the newest finished one under checkpoints/]"
    )
    parser.add_argument("--port", type=int, metavar="N", help="to listen at [the first free one from 7860]")
    add_device_flag(parser)
    options = parser.parse(argv)
    if len(options.runs) > 2:
        raise UsageError(f"demo: {len(options.runs)} runs were given; give one, or two to compare")
    if options.port is not None and not 1 <= options.port <= 65535:
        raise UsageError(f"--port {options.port}: must lie between 1 and 65535")
    found = [find_run(name) for name in options.runs] or [find_run(None)]
    _serve(found, options.port, options.device or "auto")


def _serve(runs: Sequence[Run], port: int | None, device: str) -> NoReturn:
    from unetseg.inference.folder.jobs import require_packages

    require_packages("demo", ["gradio"], "demo")
    choose_waiting()
    from unetseg.report.demo.live_page import serve
    from unetseg.report.demo.skip_bench import SkipBench, require_alike

    for each in runs:
        print(f"run {printable(each.path)}", flush=True)
    benches = [SkipBench(each, device) for each in runs]
    require_alike(benches)
    with serve(benches, port) as address:
        print(f"open {address} in a browser; Ctrl-C ends it", flush=True)
        while True:  # until a signal ends it
            threading.Event().wait(3600)
