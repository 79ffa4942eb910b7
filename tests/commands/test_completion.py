"""A shell completes verbs, flags and values with what ``unetseg completion`` prints."""

import shutil
import subprocess

import pytest

from unetseg.cli import main
from unetseg.commands import VERBS

ASK = """
source ./script
COMP_LINE="$1"; read -ra COMP_WORDS <<< "$1"; [[ "$1" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
_shtab_unetseg; echo "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shell")
    with pytest.MonkeyPatch.context() as patch, open(folder / "script", "w") as script:
        patch.setattr("sys.stdout", script)
        assert main(["completion", "bash"]) == 0

    def ask(typed: str) -> list[str]:
        command = [shutil.which("bash") or "bash", "-c", ASK, "bash", typed]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split()

    return ask


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("unetseg ", {*VERBS}),
        ("unetseg fit --merge ", {"concat", "add", "gate", "attention"}),
        ("unetseg data ch", {"check"}),
        ("unetseg data check --cont", {"--contact-sheet"}),
        ("unetseg predict --save", {"--save-probabilities"}),
    ],
)
def test_bash_completes(answers, typed, offered):
    assert set(answers(typed)) == offered


def test_another_shell_is_refused_by_name(capsys):
    assert main(["completion", "fish"]) == 2
    assert "bash, zsh, tcsh" in capsys.readouterr().err
