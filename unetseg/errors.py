"""The errors that a user can act on, and the nearest valid word for a wrong one."""

import difflib
import os
import re
import unicodedata
from collections.abc import Iterable
from contextvars import ContextVar

# Whether who reads the errors typed flags: the command line does, a call from Python has arguments.
SPEAKS_FLAGS: ContextVar[bool] = ContextVar("SPEAKS_FLAGS", default=False)

_LONGEST = 2000  # characters of a line that is still read
_VISIBLE = ("Zs", "Cs")  # spaces, and the bytes of file names that are no UTF-8


def in_one_line(text: str) -> str:
    """Return text as one line that a terminal shows as it is, line ends and control characters escaped.

    What is too long to be read loses its middle.
    """
    if not text.isprintable():
        text = "".join(
            c
            if c.isprintable() or unicodedata.category(c) in _VISIBLE
            else c.encode("unicode_escape").decode()
            for c in text
        )
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"


class UnetsegError(Exception):
    """A problem the user can act on.

    The message is one plain line: what is wrong, where, and what to do. The command line prints it
    without a traceback and exits with ``exit_code``.
    """

    exit_code = 1

    def __str__(self) -> str:
        """Return the message as one line, whatever the names and values that it quotes hold."""
        return in_one_line(super().__str__())


class UsageError(UnetsegError):
    """A wrong flag, value or combination of them: nothing was started."""

    exit_code = 2


# What libraries call a lack of memory that is no MemoryError: of the machine, of a GPU, of cv2
_NO_MEMORY = ("out of memory", "can't allocate memory", "Insufficient memory", "bad allocation")


def describe(error: BaseException) -> str:
    """Return one plain line for any error: a UnetsegError's own words, or what it was."""
    if isinstance(error, UnetsegError):
        return str(error)
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return "out of memory; try a smaller --batch-size or --size"
    if isinstance(error, OSError) and error.strerror:
        name = "a file" if error.filename is None else os.fsdecode(error.filename)
        return f"{name}: {error.strerror}; check the path, who may write there, and the free space"
    return f"unexpected {type(error).__name__}: {one_line(error)}"


# What keys and flags are called elsewhere, by the name that they have here.
_ELSEWHERE = {
    "encoder": ("model", "net", "network", "arch", "architecture", "backbone", "encoder_name"),
    "weights": ("encoder_weights", "pretrained"),
    "width": ("channels", "base_channels", "filters"),
    "stages": ("depth", "encoder_depth"),
    "data": ("dataset", "data_path"),
    "size": ("image_size", "img_size", "imgsz", "input_size", "crop_size", "patch_size", "resolution"),
    "augment": ("augmentation", "augmentations", "transform", "transforms"),
    "classes": ("names", "labels", "class_names", "categories", "label_map"),
    "class_weights": ("class_weight", "loss_weights", "pos_weight"),
    "workers": ("num_workers", "n_workers", "n_jobs"),
    "epochs": ("num_epochs", "n_epochs", "max_epochs"),
    "batch_size": ("batch", "bs", "train_batch_size"),
    "lr": ("learning_rate", "max_lr", "lr0"),
    "weight_decay": ("wd",),
    "warmup": ("pct_start", "warmup_steps", "warmup_epochs"),
    "patience": ("early_stopping",),
    "init": ("checkpoint", "ckpt", "finetune", "fine_tune", "init_from"),
    "seed": ("random_seed", "random_state"),
    "device": ("gpu", "gpus", "cuda", "accelerator"),
    "precision": ("dtype", "amp", "fp16", "bf16", "mixed_precision"),
    "resume": ("continue", "resume_from"),
    "output": ("out", "out_dir", "output_dir", "save_dir"),
    "reference": ("references", "ground_truth", "gt", "truth"),
    "fit": ("train",),
    "evaluate": ("test", "eval", "validate", "score"),
    "predict": ("infer", "inference"),
}
_HERE = {name: here for here, names in _ELSEWHERE.items() for name in names}


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the choice nearest to ``word``, or an empty string.

    A name from elsewhere has its own here; of any other word it is the choice that is spelt like it.
    """
    known = list(choices)
    here = _HERE.get(_plain(word))
    near = [each for each in known if _plain(each) == here] if here else []
    near = near or difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def _plain(word: str) -> str:
    """Return a flag or a key as the key: ``--batch-size`` → ``batch_size``."""
    return word.lower().lstrip("-").replace("-", "_")


# What libraries say to programmers: an error within an error, objects by their type, functions to call
_WRAPPED = re.compile(r"""^.*\braised \w+\((['"])(.*)\1\)""", re.DOTALL)
_OBJECT = re.compile(r"\s*<[A-Za-z_][^<>]*[.=@:][^<>]*>")
_CALL = re.compile(r"; use sys\.set_int_max_str_digits\(\) to increase the limit")


def plain_words(text: str) -> str:
    """Return what a library says as one line without its objects, calls and the full stop at its end."""
    said = _CALL.sub("", _OBJECT.sub("", _WRAPPED.sub(r"\2", text)))
    words = " ".join(said.split())
    return words if words.endswith("..") else words.removesuffix(".")


def one_line(error: BaseException, limit: int | None = None) -> str:
    """Return an error's text as one line, its type where it has none.

    Args:
        error: of a library or the system.
        limit: characters that are kept, if it is given; "…" marks what is cut.
    """
    text = plain_words(str(error)) or type(error).__name__
    return text if limit is None or len(text) <= limit else text[:limit] + "…"
