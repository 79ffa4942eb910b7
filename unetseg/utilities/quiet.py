"""What libraries say beside the matter: known warnings, one by one, logs and printed progress.

Any other warning is shown: the command line prints it as one line.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO


@dataclass(frozen=True)
class KnownWarning:
    """A warning that tells a user nothing.

    Attributes:
        message: how it begins, as a regular expression.
        category: of the warning.
        reason: why it may be left out.
    """

    message: str
    category: type[Warning]
    reason: str


KNOWN_WARNINGS = (
    KnownWarning(
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        FutureWarning,
        "it is Lightning that calls torch so",
    ),
    KnownWarning(
        r"It is recommended to use `self\.log\(.*sync_dist=True\)`",
        UserWarning,
        "losses and counts are added up over the processes before they are logged",
    ),
    KnownWarning(
        r"The number of training batches \(\d+\) is smaller than the logging interval",
        UserWarning,
        "the log has a line an epoch, not one every so many batches",
    ),
    KnownWarning(
        r"The '\w+_dataloader' does not have many workers",
        UserWarning,
        "--workers says how many there are, and its default was measured",
    ),
    KnownWarning(
        r"GPU available but not used",
        UserWarning,
        "--device says where to compute, and the log names what was taken",
    ),
    KnownWarning(
        r"Detected call of `lr_scheduler\.step\(\)` before `optimizer\.step\(\)`",
        UserWarning,
        "in float16 the first steps are left out until the loss has its scale",
    ),
    KnownWarning(
        r".*does not have a deterministic implementation, but you set",
        UserWarning,
        "on a GPU determinism is asked for as far as torch has it, and no more is claimed",
    ),
    KnownWarning(
        r"For 'tu-' \(timm universal\) encoders, `encoder_weights` should be set to True",
        UserWarning,
        "any value stands for True there, and --weights has one word for all encoders",
    ),
)


@contextmanager
def quiet(
    *, loggers: Sequence[str] = (), logs: bool = False, stdout: bool = False, stderr: bool = False
) -> Iterator[None]:
    """Keep what libraries say beside the matter off the screen while the block runs; their errors are raised.

    Args:
        loggers: of which only errors are let through, by name.
        logs: let nothing through of any logger.
        stdout: also drop what is printed.
        stderr: also drop what is printed there, but for warnings: they are shown when the block has ended.
    """
    with ExitStack() as stack:
        if stderr:
            stack.enter_context(_warnings_shown_at_the_end())
        stack.enter_context(warnings.catch_warnings())
        for known in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", known.message, known.category)
        for name in loggers:
            stack.enter_context(_errors_only(logging.getLogger(name)))
        if logs:
            stack.callback(logging.disable, logging.root.manager.disable)
            logging.disable(logging.CRITICAL)
        if stdout:
            stack.enter_context(redirect_stdout(StringIO()))
        if stderr:
            stack.enter_context(redirect_stderr(StringIO()))
        yield


@contextmanager
def _warnings_shown_at_the_end() -> Iterator[None]:
    held: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as held:
            yield
    finally:
        for each in held:
            warnings.showwarning(each.message, each.category, each.filename, each.lineno)


@contextmanager
def _errors_only(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
