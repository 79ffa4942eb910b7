"""What libraries say beside the matter is dropped, and nothing else."""

import logging
import re
import sys
import warnings

import pytest

from unetseg.utilities.quiet import KNOWN_WARNINGS, quiet

MESSAGES = (
    "`isinstance(treespec, LeafSpec)` is deprecated, use `isinstance(treespec, TreeSpec)` instead.",
    "It is recommended to use `self.log('val_iou', ..., sync_dist=True)` when logging on epoch level",
    "The number of training batches (2) is smaller than the logging interval Trainer(log_every_n_steps=50).",
    "The 'train_dataloader' does not have many workers which may be a bottleneck. Consider increasing",
    "GPU available but not used. You can set it by doing `Trainer(accelerator='gpu')`.",
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you",
    "upsample_nearest2d_backward_out_cuda does not have a deterministic implementation, but you set "
    "'torch.use_deterministic_algorithms(True, warn_only=True)'.",
    "For 'tu-' (timm universal) encoders, `encoder_weights` should be set to True to download pretrained",
)


@pytest.mark.parametrize(("known", "message"), list(zip(KNOWN_WARNINGS, MESSAGES, strict=True)))
def test_a_known_warning_is_left_out(known, message):
    with warnings.catch_warnings(record=True) as shown, quiet():
        warnings.warn(message, known.category, stacklevel=1)
    assert not shown and known.reason


def test_each_known_warning_is_one_and_not_a_kind():
    for known, own in zip(KNOWN_WARNINGS, MESSAGES, strict=True):
        assert [each for each in MESSAGES if re.match(known.message, each)] == [own]


def test_any_other_warning_is_shown():
    with pytest.warns(UserWarning, match="the disk is nearly full"), quiet():
        warnings.warn("the disk is nearly full", stacklevel=1)


def test_a_warning_is_shown_although_what_is_printed_is_dropped(capsys):
    with pytest.warns(UserWarning, match="the disk is nearly full"), quiet(stdout=True, stderr=True):
        warnings.warn("the disk is nearly full", stacklevel=1)
        print("done: 3 %")
        print("done: 3 %", file=sys.stderr)
    assert capsys.readouterr() == ("", "")


def test_advice_that_is_logged_is_dropped_and_an_error_is_not(caplog):
    logger = logging.getLogger("a.library")
    with quiet(loggers=["a.library"]):
        logger.warning("advice")
        logger.error("broken")
    logger.warning("afterwards")
    with quiet(logs=True):
        logger.error("at length")
    assert [record.message for record in caplog.records] == ["broken", "afterwards"]
