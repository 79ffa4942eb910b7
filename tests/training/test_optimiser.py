"""torch's fused AdamW is silently wrong on a CPU where a gradient's memory layout is not its weight's."""

import pytest
import torch

from unetseg.config import RunConfig
from unetseg.models.unet import build_model
from unetseg.training import checkpoints
from unetseg.training.task import SegmentationTask


@pytest.mark.parametrize("layout", ["on", "off"])
def test_the_fused_optimiser_trains_the_weights_of_the_plain_one(fit, layout):
    flags = ("--channels-last", layout, "--precision", "float32")
    fused = fit(*flags, out="fused").run
    plain = fit(*flags, "--trainer.gradient_clip_val", "1e30", out="plain").run  # keeps every gradient
    ours, theirs = (checkpoints.load(run.last)["state_dict"] for run in (fused, plain))
    assert all(torch.allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-4) for name in ours)


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("encoder", ["basic", "mobilenet_v2", "mit_b0"])
def test_gradients_lie_in_memory_as_their_weights_do(encoder, bfloat16):
    config = RunConfig(encoder=encoder)
    task = SegmentationTask(build_model(config), config, ["background", "disc"])
    task.to(memory_format=torch.channels_last)
    images = torch.rand(2, 3, 64, 64).to(memory_format=torch.channels_last)
    masks = torch.randint(0, 2, (2, 64, 64))
    for _ in range(2):  # the second pass adds to the first
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            task.loss(task(images), masks).backward()
        trained = [weight for weight in task.parameters() if weight.grad is not None]
        assert len(trained) > 40
        assert all(weight.stride() == weight.grad.stride() for weight in trained)


@pytest.mark.parametrize("warmup", ["0.2", "0.5", "0.9"])
def test_a_warm_up_may_be_as_long_as_a_single_step_or_shorter(fit, warmup):
    done = fit("--epochs", "1", "--warmup", warmup)  # two steps
    assert done.code == 0, done.err
    assert len(done.run.epochs()) == 1
