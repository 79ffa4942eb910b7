"""``pip install .`` brings the packages that it always brought, and no others."""

import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"

# What version 0.1.0 needed, and what that needed in its turn. A name is added here together with the reason
# for a new package, or when a library that we already had has begun to need it.
BROUGHT = {
    "aiohappyeyeballs", "aiohttp", "aiosignal", "albucore", "albumentations", "annotated-types", "anyio",
    "attrs", "click", "contourpy", "cycler", "filelock", "fonttools", "frozenlist", "fsspec", "h11", "hf-xet",
    "httpcore2", "httpx2", "huggingface-hub", "idna", "imagecodecs", "imageio", "jinja2", "kiwisolver",
    "lazy-loader", "lightning", "lightning-utilities", "markdown-it-py", "markupsafe", "matplotlib", "mdurl",
    "mpmath", "multidict", "networkx", "numpy", "opencv-python-headless", "packaging", "pillow", "propcache",
    "pycocotools", "pydantic", "pydantic-core", "pygments", "pyparsing", "python-dateutil",
    "pytorch-lightning", "pyyaml", "rich", "safetensors", "scikit-image", "scipy",
    "segmentation-models-pytorch", "setuptools", "simsimd", "six", "stringzilla", "sympy", "tifffile", "timm",
    "torch", "torchmetrics", "torchvision", "tqdm", "triton", "truststore", "typing-extensions",
    "typing-inspection", "tzdata", "yarl",
    "shtab",  # of 30 kB, needs nothing: what the shell completes
    "simplejpeg",  # of 1 MB, needs numpy only: the one JPEG decoder that tells what it warns of
}  # fmt: skip
OF_TORCH = ("nvidia-", "cuda-")  # PyTorch's own CUDA libraries: their names change with CUDA's version


def closure(roots: Iterable[str]) -> dict[str, str]:
    """Return every distribution that is needed here, with the chain that brings it."""
    chains: dict[str, str] = {}
    seen = set()
    waiting = [(Requirement(root), "") for root in roots]
    while waiting:
        requirement, above = waiting.pop(0)
        name = canonicalize_name(requirement.name)
        chain = f"{above} → {name}" if above else name
        chains.setdefault(name, chain)
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += [(each, chain) for each in needed(name, extra)]
    return chains


def needed(name: str, extra: str) -> list[Requirement]:
    try:
        found = [Requirement(text) for text in requires(name) or []]
    except PackageNotFoundError:  # declared, and not installed yet
        return []
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": extra})]


def strangers(dependencies: Iterable[str]) -> list[str]:
    chains = closure(dependencies)
    return [chain for name, chain in chains.items() if name not in BROUGHT and not name.startswith(OF_TORCH)]


def declared() -> list[str]:
    return tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]


def test_an_installation_brings_no_package_that_it_did_not_bring_before():
    assert strangers(declared()) == []


def test_extras_are_followed_where_they_are_asked_for():
    assert "onnxruntime" in closure(["unetseg[onnx]"])
    assert "onnxruntime" not in closure(["unetseg"])


def test_a_new_package_is_named_with_what_brings_it():
    found = strangers([*declared(), "pytest"])
    assert "pytest" in found and "pytest → pluggy" in found
