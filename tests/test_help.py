"""The help is short, comes at once, and needs no heavy library."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import pytest

from unetseg.commands import VERBS

HEAVY = {
    "albumentations", "cv2", "imagecodecs", "jinja2", "lightning", "matplotlib", "numpy", "PIL", "scipy",
    "segmentation_models_pytorch", "skimage", "tifffile", "timm", "torch", "torchvision",
}  # fmt: skip
COMMAND = "import sys; from unetseg.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"


@dataclass
class Answer:
    """What one request for help printed, imported, and took."""

    lines: list[str]
    packages: set[str]
    seconds: float


def ask(*words: str) -> Answer:
    """Ask for help in a process of its own.

    The seconds are those that the process computed: a busy machine changes the time on the wall far more.
    """
    command = [sys.executable, "-c", COMMAND, *words, "--help"]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as modules:
        process = subprocess.Popen(command, stdout=out, stderr=modules)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        modules.seek(0)
        printed, names = out.read(), modules.read()
    assert process.returncode == 0, names
    return Answer(
        printed.splitlines(), {name.split(".")[0] for name in names.split()}, used.ru_utime + used.ru_stime
    )


@pytest.mark.parametrize(("words", "most_lines"), [((), 40), (("fit",), 120)], ids=["unetseg", "fit"])
def test_help_is_short_and_comes_in_half_a_second(words, most_lines):
    answers = [ask(*words) for _ in range(3)]
    assert "unetseg" in answers[0].lines[0] and len(answers[0].lines) <= most_lines
    assert min(answer.seconds for answer in answers) < 0.5


OF_METRICS = {"cv2", "numpy", "scipy", "skimage"}  # whose records the help of --primary lists


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_needs_no_heavy_library(verb):
    answer = ask(verb)
    assert f"unetseg {verb}" in answer.lines[0]
    kept_out = HEAVY - OF_METRICS if verb == "compare" else HEAVY
    assert "unetseg" in answer.packages and not answer.packages & kept_out
