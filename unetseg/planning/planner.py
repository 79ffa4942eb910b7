"""A plan from the data: looks, measures, lets the rules decide, and says each choice with its reason."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import fields

import yaml

from unetseg.config import RunConfig
from unetseg.config_checks import flag
from unetseg.data.datasets.check import require_sound
from unetseg.data.datasets.open import open_data
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.models.hardware import choose_hardware
from unetseg.planning import rules
from unetseg.planning.budget import epochs_within
from unetseg.planning.facts import DataFacts, look_at_data
from unetseg.planning.local_weights import pretrained_here
from unetseg.planning.pace import LOOKS, MEASURED, WARM_UP, measure_pace, seconds_a_crop
from unetseg.planning.rules import Candidate, Choice
from unetseg.training.trainer import check_trainer
from unetseg.utilities.progress import Report, duration, show_progress

DEFAULT_MINUTES = {"cpu": 20, "cuda": 10, "mps": 20}  # of --plan without --time
_MEASURING = 0.02  # share of the time that the last measurement takes
_MOST_STEPS = 20
_TRYING = 0.03  # share of the time that measuring one more encoder may take
_FOR_TRAINING = 0.85  # share of what is left, before start and test are measured
# Seconds: what starts the Trainer; what loads the best weights and draws the curves.
_START, _END = 1.5, 1.5
_OF_BASIC = ("width", "stages", "blocks", "short", "short_decoder", "zero_init")


def default_seconds(config: RunConfig) -> tuple[float, str]:
    """Return the time that is planned for where none is given, and the device that it is the usual one of."""
    device = choose_hardware(config).device
    return 60.0 * DEFAULT_MINUTES[device], device


def plan_run(
    config: RunConfig, given: Sequence[str], seconds: float, report: Report, started: float | None = None
) -> RunConfig:
    """Return a configuration whose run takes about so long, the planning included.

    Args:
        config: the defaults, and what is given by hand.
        given: names of the settings that are given by hand and stay.
        seconds: from ``started`` on.
        report: is given the plan, line by line.
        started: when the clock began, by ``time.perf_counter``; now if not given.

    Raises:
        UnetsegError: with one plain line, for whatever would keep the run from starting.
    """
    planner = _Planner(config, given, seconds, report, time.perf_counter() if started is None else started)
    return planner.plan()


def plain_command(config: RunConfig) -> str:
    """Return the command that trains a configuration, without a plan: all that is not the default."""
    plain, words = RunConfig(), ["unetseg", "fit"]
    for spec in fields(RunConfig):
        value = getattr(config, spec.name)
        if spec.name == "trainer" or value == getattr(plain, spec.name):
            continue
        if isinstance(value, bool):
            words.append(flag(spec.name) if value else flag(f"no_{spec.name}"))
        else:
            words += [flag(spec.name), str(value)]
    for name, value in config.trainer.items():
        text = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
        words += [f"--trainer.{name}", text]
    return shlex.join(words)


class _Planner:
    """One plan on its way: the configuration so far, and who decides what."""

    def __init__(
        self, config: RunConfig, given: Sequence[str], seconds: float, report: Report, started: float
    ) -> None:
        self.config = config
        self.given = set(given)
        self.seconds = seconds
        self.report = report
        self.started = started

    def plan(self) -> RunConfig:
        """Go through all choices, the ones that others depend on first."""
        began = time.perf_counter()
        hardware = choose_hardware(self.config)
        check_trainer(self.config, hardware)
        dataset = open_data(self.config)
        found = require_sound(dataset, progress=show_progress("checking"))
        opening = time.perf_counter() - began
        facts = look_at_data(dataset, found)
        for line in facts.told():
            self.report(line)
        self._say_given()
        self.report(f"plan      for {duration(self.seconds)} on {hardware}, beside the programs that run now")
        self._choose_shape(facts, dataset)
        crops = self._choose_encoder(facts, dataset)
        self.take(rules.choose_augmentation(facts, crops))
        self.take(rules.choose_foreground_crops(facts, self.config.scale, self.config.size))
        self.take(rules.choose_class_weights(facts))
        self._choose_epochs(dataset, opening, self._training_seconds() / max(crops, 1))
        self.report(f"same as   {plain_command(self.config)}")
        return self.config

    def take(self, choice: Choice) -> None:
        """Put a choice into the configuration and say why, unless the setting is given by hand."""
        if choice.setting in self.given:
            return
        self.config = self.config.changed(**{choice.setting: choice.value})
        self._say(f"{flag(choice.setting)} {choice.value}", choice.reason)

    def _say(self, words: str, reason: str) -> None:
        self.report(f"plan      {words:<24} {reason}")

    def _say_given(self) -> None:
        if self.given:
            words = ", ".join(
                "--trainer" if name == "trainer" else f"{flag(name)} {getattr(self.config, name)}"
                for name in (spec.name for spec in fields(RunConfig))
                if name in self.given
            )
            self.report(f"given     {words}: by hand, and stays")

    def _training_seconds(self) -> float:
        """Return what is left for training, before its start and the test are measured."""
        left = self.seconds - (time.perf_counter() - self.started)
        return max(1.0, _FOR_TRAINING * left)

    def _choose_shape(self, facts: DataFacts, dataset: SegmentationSet) -> None:
        """Choose scale, crop and batch."""
        scale = rules.choose_native(facts)
        if scale is None and "scale" not in self.given:
            first = self._candidates(facts)[0].settings
            base = self.config.changed(**first, scale=f"longest:{rules.BASE_CROP}", size=rules.BASE_CROP)
            speed = 1 / seconds_a_crop(base, dataset)
            scale = rules.choose_longest(facts, speed, self._training_seconds())
        if scale is not None:
            self.take(scale)
        self.take(rules.choose_size(facts, self.config.scale))
        self.take(rules.choose_batch(facts, RunConfig().batch_size))

    def _candidates(self, facts: DataFacts) -> list[Candidate]:
        """Return the encoders to choose from; the one that is there where what is given needs it."""
        if self._encoder_stays():
            return [Candidate({"encoder": self.config.encoder}, 0)]
        return rules.candidates(facts, pretrained_here() if "weights" not in self.given else ())

    def _encoder_stays(self) -> bool:
        levels = "skips" in self.given and self.config.skips not in ("on", "off")
        return levels or bool({"encoder", "weights", "init", *_OF_BASIC} & self.given)

    def _choose_encoder(self, facts: DataFacts, dataset: SegmentationSet) -> float:
        """Choose the last encoder in the row that sees enough crops, and return how many it sees."""
        seen: dict[str, float] = {}
        row = self._candidates(facts)
        chosen, a_crop = row[0], 0.0
        for candidate in row:
            hopeless = candidate.crops > seen.get(chosen.text, 0)
            if candidate.crops and (hopeless or self._costs_too_much(a_crop)):
                break
            a_crop = seconds_a_crop(self.config.changed(**candidate.settings), dataset)
            seen[candidate.text] = self._training_seconds() / a_crop
            if seen[candidate.text] < candidate.crops:
                break
            chosen = candidate
        if self._encoder_stays():
            if "encoder" not in self.given:
                self._say(f"--encoder {self.config.encoder}", "what is given by hand goes with it")
        else:
            for choice in rules.choose_encoder(facts, seen, chosen):
                self.take(choice)
        return seen[chosen.text]

    def _costs_too_much(self, a_crop: float) -> bool:
        """Tell whether measuring an encoder half as fast as the last would take too much of the time."""
        crops = (WARM_UP + MEASURED) * self.config.batch_size
        return 2 * a_crop * crops > _TRYING * self.seconds

    def _choose_epochs(self, dataset: SegmentationSet, opening: float, a_crop: float) -> None:
        """Measure the run as it now stands, and choose validations and epochs."""
        steps = int(_MEASURING * self.seconds / (a_crop * self.config.batch_size))
        pace = measure_pace(self.config, dataset, max(MEASURED, min(_MOST_STEPS, steps)))
        before = time.perf_counter() - self.started + opening + _START + pace.before
        calibrating = pace.looking + 3 * pace.whole * bool(self.config.recalibrate)
        after = calibrating + pace.testing + _END
        every = self.config.trainer.get(LOOKS)
        fitting = epochs_within(self.seconds - before - after, pace.training, pace.looking, every)
        if every is None and fitting.every > 1:
            trainer = {**self.config.trainer, LOOKS: fitting.every}
            self.config = self.config.changed(trainer=trainer)
            why = f"one look at validation takes as long as {pace.looking / pace.training:.1f} epochs"
            self._say(f"--trainer.{LOOKS} {fitting.every}", why)
        self.take(rules.choose_epochs(fitting, before, after, self.seconds))
        if "epochs" in self.given:
            took = before + after + self.config.epochs * fitting.seconds / fitting.epochs
            self.report(
                f"given     --epochs {self.config.epochs}: takes {duration(took)}, "
                f"whatever the {duration(self.seconds)} of --time"
            )
