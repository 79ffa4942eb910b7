"""The LightningModule: loss, optimiser and validation of a U-Net."""

import math
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from unetseg.config import RunConfig
from unetseg.data.datasets.labels import IGNORED
from unetseg.errors import UnetsegError, UsageError
from unetseg.models.initialise import seed_for
from unetseg.models.unet import output_channels

_DEPTH_WEIGHT = 2.0  # of the depth's mean error beside the loss of the classes, which begins near 1


class SegmentationTask(pl.LightningModule):
    """Trains a network that maps images to logits.

    Args:
        model: the network; 1 output for foreground against background, else one a class.
        config: the run's configuration.
        classes: class names, index 0 the background.
        class_weights: one a class, or None.
    """

    def __init__(
        self,
        model: nn.Module,
        config: RunConfig,
        classes: Sequence[str],
        class_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.classes = list(classes)
        self.binary = len(classes) == 2
        self.outputs = output_channels(len(classes))
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.pixel_loss: nn.Module
        if self.binary:
            positive = None if weights is None else weights[1] / weights[0]
            self.pixel_loss = smp.losses.SoftBCEWithLogitsLoss(ignore_index=IGNORED, pos_weight=positive)
        else:
            self.pixel_loss = nn.CrossEntropyLoss(weights, ignore_index=IGNORED)
        self.dice_loss = smp.losses.DiceLoss("binary" if self.binary else "multiclass", ignore_index=IGNORED)
        self.planned_steps: int | None = None
        self.losses: list[float] = []
        self.counts = torch.zeros(len(classes), 3, dtype=torch.int64)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to logits (N, outputs, H, W)."""
        logits: Tensor = self.model(images)
        return logits

    def loss(self, logits: Tensor, masks: Tensor, depth: Tensor | None = None) -> Tensor:
        """Return cross-entropy plus Dice loss of logits (N, outputs, H, W) against masks (N, H, W) int64.

        With the depth in objects, (N, H, W) from 0 to 1, twice the mean error of the last output is added.
        """
        if not (masks != IGNORED).any():
            return logits.sum() * 0  # the mean over no pixel would be NaN
        logits = logits.float()  # the losses sum over many pixels: too many for half precision
        learned, logits = logits[:, -1], logits[:, : self.outputs]
        target = masks.unsqueeze(1).float() if self.binary else masks
        loss: Tensor = self.pixel_loss(logits, target) + self.dice_loss(
            logits, masks.unsqueeze(1) if self.binary else masks
        )
        if depth is None:
            return loss
        return loss + _DEPTH_WEIGHT * (learned - depth)[masks != IGNORED].abs().mean()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Make chance inside the network (dropout, stochastic depth) a function of the seed and the batch."""
        seed = seed_for(self.config.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed looks for every other device, too
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(seed)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of one batch of crops.

        Raises:
            UnetsegError: if it is not finite.
        """
        loss = self.loss(self(batch["image"]), batch["mask"], batch.get("depth"))
        value = loss.item()
        if not math.isfinite(value):
            raise self._diverged(f"the loss became {value}")
        self.losses.append(value)
        return loss

    def check_weights(self) -> None:
        """Raise a UnetsegError if a weight is not finite: the loss would tell only a step later."""
        if not all(bool(torch.isfinite(value).all()) for value in self.model.state_dict().values()):
            raise self._diverged("a weight is no longer finite")

    def _diverged(self, what: str) -> UnetsegError:
        return UnetsegError(
            f"training diverged: {what} in epoch {self.current_epoch + 1}, step {self.global_step}; "
            "try a lower --lr, a longer --warmup or --precision float32 "
            "(best.ckpt, where there is one, is from before)"
        )

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Count true positives, false positives and false negatives of one batch of whole images."""
        logits, masks = self(batch["image"]), batch["mask"]
        predicted = (logits[:, 0] > 0).long() if self.binary else logits[:, : self.outputs].argmax(1)
        counted = masks != IGNORED
        size = len(self.classes)
        pairs = masks[counted] * size + predicted[counted]
        confusion = torch.bincount(pairs, minlength=size * size).reshape(size, size).cpu()
        hits = confusion.diagonal()
        self.counts += torch.stack([hits, confusion.sum(0) - hits, confusion.sum(1) - hits], dim=1)

    @property
    def _encoder(self) -> nn.Module:
        encoder = self.model.encoder
        assert isinstance(encoder, nn.Module)
        return encoder

    @property
    def frozen(self) -> bool:
        """Whether the encoder stands still in this epoch."""
        return self.current_epoch < self.config.freeze_encoder

    def on_train_epoch_start(self) -> None:
        """Start the epoch's mean loss; hold the encoder, its batch norm's statistics too, or let it go.

        Several processes compute gradients of a held encoder all the same, since each waits for the other's.
        """
        self.losses = []
        if self.config.freeze_encoder:
            self._encoder.train(not self.frozen)
            if self.trainer.world_size == 1:
                self._encoder.requires_grad_(not self.frozen)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimiser pass over an encoder that stands still: no step, no decay."""
        if self.frozen:
            for parameter in self._encoder.parameters():
                parameter.grad = None

    def on_validation_epoch_start(self) -> None:
        """Start the epoch's counts."""
        self.counts = torch.zeros_like(self.counts)

    def on_validation_epoch_end(self) -> None:
        """Log the dataset IoU: counts summed over all images, mean over the foreground classes.

        It is NaN where no validation mask holds any foreground: that nothing was found there is no evidence.
        """
        counts = self.trainer.strategy.reduce(self.counts.to(self.device), reduce_op="sum").cpu()
        union = counts.sum(1)
        iou = torch.where(union > 0, counts[:, 0] / union.clamp(min=1), torch.nan)[1:]
        held = (counts[1:, 0] + counts[1:, 2]).sum() > 0
        mean = iou.nanmean() if held else torch.tensor(torch.nan)
        by_class = {f"val_iou_{name}": value for name, value in zip(self.classes[1:], iou, strict=True)}
        self.log_dict({"val_iou": mean, **by_class})  # in every process: all decide alike when to stop

    def mean_loss(self) -> float:
        """Return the mean training loss of this epoch, over all processes."""
        mean = torch.tensor(sum(self.losses) / max(1, len(self.losses)), device=self.device)
        return float(self.trainer.strategy.reduce(mean, reduce_op="mean"))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save what the schedule depends on."""
        checkpoint["planned_steps"] = self.planned_steps

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over from the training that was interrupted."""
        self.planned_steps = checkpoint["planned_steps"]

    def configure_optimizers(self) -> Any:
        """Return AdamW under a one-cycle schedule: up in the ``warmup`` share of the steps, then down.

        Where that share is no more than one step, there is nothing to rise in, and it only falls.

        Raises:
            UsageError: if a resumed training is to take more or fewer steps than it was planned for.
        """
        rates = [self.config.lr]
        groups = [{"params": list(self.parameters())}]
        if self.config.encoder_lr is not None:
            rates.append(self.config.encoder_lr)
            groups = self._two_groups(self.config.encoder_lr)
        optimiser = torch.optim.AdamW(
            groups,
            lr=self.config.lr,
            weight_decay=self.config.weight_decay,
            fused=not self.trainer.gradient_clip_val,  # Lightning clips no gradients of a fused optimiser
        )
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        if self.planned_steps not in (None, steps):
            raise UsageError(
                f"this run was planned for {self.planned_steps} steps and is now to take {steps} under other "
                "learning rates: leave its Trainer arguments as they were, or start anew with --init"
            )
        self.planned_steps = steps
        schedule: Any
        if self.config.warmup * steps > 1:  # OneCycleLR divides by zero where the rise takes a single step
            schedule = OneCycleLR(
                optimiser,
                rates,
                total_steps=steps,
                pct_start=self.config.warmup,
                cycle_momentum=False,
            )
        else:
            schedule = CosineAnnealingLR(optimiser, T_max=steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _two_groups(self, encoder_lr: float) -> list[dict[str, Any]]:
        """Return the parameters but the encoder's, and these at a rate of their own."""
        encoder = list(self._encoder.parameters())
        its_own = {id(parameter) for parameter in encoder}
        others = [parameter for parameter in self.parameters() if id(parameter) not in its_own]
        return [{"params": others}, {"params": encoder, "lr": encoder_lr}]
