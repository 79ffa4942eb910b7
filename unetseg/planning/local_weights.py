"""Which encoders have their ImageNet weights on this machine, in the hub's cache; the hub is not asked."""

# From fast to slow; each has more to say than the one before where there is time for it.
NAMES = ("resnet18", "resnet34", "resnet50")


def pretrained_here() -> tuple[str, ...]:
    """Return those of ``NAMES`` whose weights need no network, from fast to slow."""
    from huggingface_hub import try_to_load_from_cache
    from segmentation_models_pytorch.encoders import encoders

    found = []
    for name in NAMES:
        settings = encoders[name]["pretrained_settings"]["imagenet"]
        paths = [
            try_to_load_from_cache(settings["repo_id"], file, revision=settings["revision"])
            for file in ("config.json", "model.safetensors")
        ]
        if all(isinstance(path, str) for path in paths):
            found.append(name)
    return tuple(found)
