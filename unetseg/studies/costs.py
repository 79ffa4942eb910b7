"""What the nets of a study cost: parameters and multiply-adds."""

from unetseg.models.cost import Cost, config_cost
from unetseg.studies.plan import RunPlan


def plan_costs(plan: RunPlan, classes: int) -> dict[str, Cost]:
    """Return what each net of a plan costs, by the identity of its configuration.

    Args:
        plan: of the study.
        classes: foreground classes of its data.

    Raises:
        UsageError: if a net cannot be built.
    """
    configs = [setting.config for settings in plan.settings.values() for setting in settings]
    return {config.identity(): config_cost(config, classes) for config in configs}
