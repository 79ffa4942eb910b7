"""The epoch's number, the same in the log and beside the progress bar."""

import lightning.pytorch as pl
from lightning.pytorch.callbacks import RichProgressBar


def epoch_name(trainer: pl.Trainer) -> str:
    """Return what the epoch under way is called: ``epoch 3/16``, or ``epoch 3`` where steps set the end."""
    number, all_ = trainer.current_epoch + 1, trainer.max_epochs or -1
    return f"epoch {number}/{all_}" if all_ > 0 else f"epoch {number}"


class EpochBar(RichProgressBar):
    """Lightning's bar, which counts epochs from 0 by itself."""

    def _get_train_description(self, current_epoch: int) -> str:
        name = epoch_name(self.trainer)
        return name.ljust(len(self.validation_description))  # bars of two widths would flicker
