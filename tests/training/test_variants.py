"""One contract for every kind of short skip, merge and bottleneck: trains, resumes, predicts, exports."""

import signal
from pathlib import Path

import cv2
import pytest

from unetseg.cli import main
from unetseg.config import MERGES, NORMS, SHORTS

VARIANTS = {
    "plain, add": "--short plain --merge add --skips 0",
    "residual, attention": "--zero-init --short-decoder --merge attention",
    "preactivation, gate": "--short preactivation --zero-init --short-decoder --merge gate",
    "highway, add": "--short highway --short-decoder --merge add --skips off --control self",
    "dense, concat": "--short dense --short-decoder",
    "transformer, pre": "--bottleneck transformer --bottleneck-layers 2",
    "transformer, post": "--bottleneck transformer --bottleneck-layers 1 --bottleneck-residual off "
    "--norm post",
}


@pytest.mark.parametrize("flags", VARIANTS.values(), ids=VARIANTS)
def test_a_variant_trains_resumes_predicts_and_is_exported(
    fit, interrupt, assert_same_bits, discs, tmp_path, flags
):
    unbroken = fit(*flags.split(), out="unbroken")
    assert unbroken.code == 0, unbroken.err
    interrupt(signal.SIGTERM, epoch=1)
    assert fit(*flags.split(), out="broken").code == 143
    assert_same_bits(unbroken.run, fit(resume="broken").run)

    assert main(["export", "unbroken", "-o", "model.onnx"]) == 0  # compared with PyTorch before it is kept
    for model in ("unbroken", "model.onnx"):
        assert main(["predict", str(discs / "images"), "-o", f"masks-{model}", "--run", model]) == 0
    masks = [sorted(Path(f"masks-{model}").glob("*.png")) for model in ("unbroken", "model.onnx")]
    assert len(masks[0]) == len(list((discs / "images").iterdir()))
    for ours, exported in zip(*masks, strict=True):
        drawn = cv2.imread(str(ours), cv2.IMREAD_UNCHANGED)
        assert drawn.shape[:2] == (40, 40)
        assert (drawn == cv2.imread(str(exported), cv2.IMREAD_UNCHANGED)).mean() > 0.95


def test_the_contract_covers_every_kind():
    words = " ".join(VARIANTS).replace(",", "").split()
    assert set(words) == {*SHORTS, *MERGES, "transformer", *NORMS}
