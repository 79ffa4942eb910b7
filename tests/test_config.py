"""One flat configuration: every way to write a value means the same, and a wrong one is answered plainly."""

import subprocess
import sys
from dataclasses import fields

import pytest
import yaml

from unetseg.cli import main
from unetseg.config import RunConfig, from_mapping
from unetseg.errors import UsageError
from unetseg.skip_levels import normalise_skips, select_levels
from unetseg.utilities.yaml_files import load_yaml


@pytest.mark.parametrize(
    ("written", "meant"),
    [("on", "on"), (True, "on"), (False, "off"), ("OFF", "off"), ("3,1", "1,3"), ([3, 1], "1,3"), (2, "2"),
     ("^1", "^1"), ("^ 2, 0", "^0,2"), ([], "off")],
)  # fmt: skip
def test_every_way_to_write_skips(written, meant):
    assert normalise_skips(written) == meant


def test_unquoted_on_in_yaml_is_accepted(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("skips: on\nlr: 1e-3\nbatch-size: 4\n")
    config = from_mapping(load_yaml(file), "run.yaml")
    assert (config.skips, config.lr, config.batch_size) == ("on", 1e-3, 4)


def test_a_switch_is_set_and_unset(tmp_path, capsys):
    file = tmp_path / "run.yaml"
    file.write_text("short-decoder: on\nzero_init: true\n")
    assert main(["fit", "--config", str(file), "--no-zero-init", "--log-gradients", "--print-config"]) == 0
    config = from_mapping(yaml.safe_load(capsys.readouterr().out), "printed")
    assert (config.short_decoder, config.zero_init, config.log_gradients) == (True, False, True)


def test_yaml_out_and_in_again_is_the_same():
    config = RunConfig(skips="^1", data="pets", lr=1e-4, workers=2, trainer={"max_steps": 5})
    assert from_mapping(yaml.safe_load(config.to_yaml()), "again") == config


def test_levels_are_selected():
    available = [0, 1, 2]
    assert select_levels("on", available, "basic") == {0, 1, 2}
    assert select_levels("off", available, "basic") == set()
    assert select_levels("0,2", available, "basic") == {0, 2}
    assert select_levels("^1", available, "basic") == {0, 2}


def test_identity_ignores_where_it_was_computed_and_nothing_else():
    config = RunConfig()
    assert config.identity() == config.changed(device="cpu", workers=3, log_gradients=True).identity()
    for changes in (
        {"seed": 1},
        {"lr": 1e-4},
        {"skips": "off"},
        {"data": "pets"},
        {"short": "plain"},
        {"merge": "add"},
    ):
        assert config.identity() != config.changed(**changes).identity()


def test_with_every_skip_on_the_control_makes_no_difference():
    assert RunConfig(control="drop").identity() == RunConfig(control="zero").identity()
    off = RunConfig(skips="off")
    assert off.identity() != off.changed(control="zero").identity()


def test_a_run_without_a_transformer_is_the_one_that_it_was_before_there_were_any():
    assert RunConfig(epochs=20, lr=0.003).identity() == "00bf1544e301"  # the defaults of then
    transformer = RunConfig(bottleneck="transformer")
    for changes in ({"bottleneck_layers": 2}, {"norm": "post"}, {"bottleneck_residual": "off"}):
        assert transformer.identity() != transformer.changed(**changes).identity()


def test_where_nothing_joins_the_merge_makes_no_difference():
    off = RunConfig(skips="off")
    assert off.identity() == off.changed(merge="add").identity()
    for other in (off.changed(control="self"), off.changed(control="widen"), off.changed(skips="1")):
        assert other.identity() != other.changed(merge="add").identity()


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"skip": "on"}, "unknown key 'skip'; did you mean 'skips'"),
        ({"control": "wide"}, "--control 'wide': choose from drop, zero, widen, self; did you mean 'widen'"),
        ({"skips": "1;2"}, "--skips '1;2': give on, off, levels"),
        ({"epochs": 0}, "--epochs 0: must be at least 1"),
        ({"epochs": 10**30}, f"--epochs {10**30}: must be at most 1000000000"),
        ({"size": 10**9}, "--size 1000000000: must be at most 65536"),
        ({"width": 16 * 10**9}, "--width 16000000000: must be at most 4096"),
        ({"stages": 60}, "--stages 60: must be at most 10"),
        ({"blocks": 10**8}, "--blocks 100000000: must be at most 256"),
        (
            {"bottleneck": "transformer", "bottleneck_layers": 10**8},
            "--bottleneck-layers 100000000: must be at",
        ),
        (
            {"width": 4096, "stages": 8},
            "--width 4096 --stages 8 --blocks 1: 7e+12 weights are more than",
        ),
        ({"workers": 10**6}, "--workers 1000000: must be at most 1024"),
        ({"epochs": "ten"}, "--epochs 'ten': must be int"),
        ({"lr": -1}, "--lr -1.0: must be above 0"),
        ({"lr": float("nan")}, "--lr nan: must be above 0"),
        ({"width": 20}, "--width 20: must be a multiple of 16"),
        ({"warmup": 1.5}, "--warmup 1.5: must lie between 0 and 0.9"),
        ({"scale": "half"}, "--scale 'half': give native or longest:N"),
        ({"weights": "imagenet"}, "the basic encoder has none"),
        ({"class_weights": "heavy"}, "--class-weights 'heavy'"),
        ({"class_weights": "1,0"}, "--class-weights '1,0'"),
        ({"short": "plane"}, "--short 'plane': choose from plain, residual"),
        (
            {"short": "plain", "encoder": "resnet34"},
            "--short: is for --encoder basic; resnet34 has blocks of",
        ),
        ({"short_decoder": True, "encoder": "resnet34"}, "--short-decoder: is for --encoder basic"),
        ({"short": "plain", "zero_init": True}, "--zero-init: is for --short residual or preactivation"),
        ({"short_decoder": "yes"}, "--short-decoder 'yes': must be true or false"),
        ({"seed": True}, "--seed 'True': must be int"),
        ({"norm": "post"}, "--norm post: is for --bottleneck transformer"),
        ({"bottleneck_residual": False}, "--bottleneck-residual off: is for --bottleneck transformer"),
        ({"bottleneck": "transformer", "bottleneck_layers": 0}, "--bottleneck-layers 0: must be at least 1"),
        ({"bottleneck": "attention"}, "--bottleneck 'attention': choose from none, transformer"),
    ],
)
def test_a_wrong_value_names_its_flag_and_what_to_give(values, line):
    with pytest.raises(UsageError) as caught:
        from_mapping(values, "run.yaml")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1\n", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, content):
    file = tmp_path / "bad.yaml"
    file.write_text(content)
    with pytest.raises(UsageError, match=r"bad\.yaml"):
        load_yaml(file)


def test_every_field_has_a_help_line_and_a_group():
    assert all(spec.metadata["help"] and spec.metadata["group"] for spec in fields(RunConfig))


def test_nothing_of_the_command_line_imports_torch():
    code = "import sys, unetseg.cli, unetseg.config, unetseg.runs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
