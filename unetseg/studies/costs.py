"""What the nets of a study cost: parameters and multiply-adds."""

from unetseg.config import RunConfig
from unetseg.models.cost import Cost, measure_cost
from unetseg.models.unet import build_model
from unetseg.studies.plan import Plan
from unetseg.training.fit import check_size


def plan_costs(plan: Plan, classes: int) -> dict[str, Cost]:
    """Return what each net of a plan costs, by the identity of its configuration.

    Args:
        plan: of the study.
        classes: foreground classes of its data.

    Raises:
        UsageError: if a net cannot be built.
    """
    configs = [setting.config for settings in plan.settings.values() for setting in settings]
    return {config.identity(): config_cost(config, classes) for config in configs}


def config_cost(config: RunConfig, classes: int) -> Cost:
    """Return parameters and multiply-adds of a net for so many foreground classes."""
    model = build_model(config.changed(weights="none"), 1 if classes == 1 else classes + 1)
    check_size(config, model)
    return measure_cost(model, config.size)
