"""``unetseg runs``: what was trained here."""

from collections.abc import Sequence

from unetseg.arguments import Parser
from unetseg.runs import list_runs


def run(argv: Sequence[str]) -> int:
    """List runs."""
    Parser("runs", "runs", "List the runs under checkpoints/, newest last.").parse(argv)
    from unetseg.evaluation.table import run_table

    print(run_table(list_runs()))
    return 0
