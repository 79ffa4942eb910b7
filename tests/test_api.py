"""What ``import unetseg`` offers: these names, lazily, with types, and each verb of the command line."""

import inspect
import io
import json
import os
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from PIL import Image

import unetseg
from unetseg.api.settings import NetSettings, Settings, StudySettings, setting_names
from unetseg.cli import main
from unetseg.commands import VERBS
from unetseg.config import HINTS, RunConfig
from unetseg.errors import UsageError, did_you_mean
from unetseg.inference.folder.jobs import OutputOptions
from unetseg.inference.onnx_file import predictor_from_onnx
from unetseg.runs import Run
from unetseg.utilities.progress import print_line

OFFERED = {
    "fit", "load", "predict", "evaluate", "ablate", "compare", "lesion", "probe", "export", "build_model",
    "RunConfig", "Run", "metrics", "UnetsegError", "UsageError", "__version__",
}  # fmt: skip
# What a type checker must follow to know what comes back; following all takes long.
LOOKED_INTO = [
    "unetseg",
    "unetseg.api",
    "unetseg.api.*",
    "unetseg.config",
    "unetseg.runs",
    "unetseg.inference.predictor",
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = Path(unetseg.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


def test_the_package_lists_what_it_offers_and_nothing_else():
    shown = {name for name in dir(unetseg) if name in unetseg.__all__ or not name.startswith("__")}
    assert shown == set(unetseg.__all__) == OFFERED
    assert all(getattr(unetseg, name) is not None for name in OFFERED)
    assert unetseg.__version__ == version("unetseg")
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        unetseg.train  # noqa: B018


def test_importing_it_is_light():
    heavy = "{'torch', 'numpy', 'cv2', 'scipy', 'lightning', 'matplotlib'}"
    use = "import sys, unetseg; dir(unetseg); unetseg.fit, unetseg.RunConfig"
    code = f"{use}; sys.exit(bool({heavy} & {{*sys.modules}}))"
    assert python("-c", code).returncode == 0


def test_every_verb_that_computes_is_a_function_of_that_name():
    assert {*VERBS} - {"runs", "data", "completion", "demo"} <= OFFERED
    for verb in {*VERBS} - {"runs", "data", "completion", "demo"}:
        function = getattr(unetseg, verb)
        assert inspect.isfunction(function) and "Args:" in (inspect.getdoc(function) or "")


@pytest.mark.parametrize(
    "words",
    [
        "fit --lr 0.5", "predict images -o masks", "evaluate RUN", "ablate long", "compare A B",
        "probe short", "lesion RUN", "export RUN",
    ],
)  # fmt: skip
def test_a_verb_of_the_command_line_calls_the_function_of_its_name(place, monkeypatch, capsys, words):
    verb, *rest = words.split()

    def called(*arguments, **options):
        raise UsageError(f"{arguments} {options}")

    monkeypatch.setattr(f"unetseg.commands.{verb}.{verb}", called)
    assert main([verb, *rest]) == 2
    given = capsys.readouterr().err
    assert all(word in given for word in rest if not word.startswith("-"))


def test_a_type_checker_sees_what_comes_back_and_which_settings_there_are(place, monkeypatch):
    api = pytest.importorskip("mypy.api")
    (place / "mypy.ini").write_text(
        "[mypy]\nignore_missing_imports = True\nfollow_imports = skip\n"
        f"[mypy-{','.join(LOOKED_INTO)}]\nfollow_imports = silent\n"
    )
    (place / "script.py").write_text(
        "import unetseg\n"
        "run = unetseg.fit(data='set', lr=1e-3)\n"
        "reveal_type(run)\n"
        "reveal_type(unetseg.load(run))\n"
        "reveal_type(unetseg.lesion(run))\n"
        "unetseg.fit(learning_rate=1e-3)\n"
        "unetseg.fit(epochs='ten')\n"
        "unetseg.predict('images', 'masks', overlays=True)\n"
        "unetseg.nothing\n"
    )
    monkeypatch.setenv("MYPYPATH", str(Path(unetseg.__file__).parents[1]))
    found, problems, _ = api.run(["--config-file", "mypy.ini", "--cache-dir", os.devnull, "script.py"])
    assert not problems
    for line, said in {
        3: 'Revealed type is "unetseg.runs.Run"',
        4: 'Revealed type is "unetseg.inference.predictor.Predictor"',
        5: 'Revealed type is "unetseg.api.lesion_verb.Lesioned"',
        6: 'Unexpected keyword argument "learning_rate"',
        7: 'Argument "epochs" to "fit" has incompatible type "str"; expected "int"',
        8: 'Unexpected keyword argument "overlays"',
        9: 'has no attribute "nothing"',
    }.items():
        assert f"script.py:{line}: " in found
        assert any(text.startswith(f"script.py:{line}: ") and said in text for text in found.splitlines()), (
            said
        )


def test_the_types_are_shipped():
    assert (Path(unetseg.__file__).parent / "py.typed").is_file()


def test_the_settings_that_checkers_see_are_those_of_a_configuration():
    of_studies = {"folds", "fold"}  # there is no fit in folds
    assert get_type_hints(Settings) == {name: HINTS[name] for name in HINTS.keys() - of_studies}
    assert setting_names(NetSettings) < setting_names(StudySettings) - of_studies < setting_names(Settings)


def test_help_lists_every_setting_with_type_default_and_description():
    listed = inspect.signature(unetseg.fit).parameters
    described = inspect.getdoc(unetseg.fit) or ""
    for spec in [each for each in fields(RunConfig) if each.name in setting_names(Settings)]:
        assert listed[spec.name].annotation == HINTS[spec.name]
        assert listed[spec.name].default == getattr(RunConfig(), spec.name)
        assert f"{spec.name} (" in described and spec.metadata["help"] in described


def test_predict_takes_every_option_of_its_output_by_name():
    listed = inspect.signature(unetseg.predict).parameters
    for spec in fields(OutputOptions):
        assert listed[spec.name].default == spec.default
        assert spec.name in (inspect.getdoc(unetseg.predict) or "")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: unetseg.fit(learning_rate=1e-3), "fit(): unknown key 'learning_rate'; did you mean 'lr'?"),
        (lambda: unetseg.fit(backbone="resnet34"), "did you mean 'encoder'?"),
        (lambda: unetseg.fit(epochs=0), "fit(): epochs 0: must be at least 1"),
        (lambda: unetseg.fit(resume="gone"), "gone: no run here"),
        (
            lambda: unetseg.fit(resume="gone", lr=1.0, output="x"),
            "fit(): resume gone: goes on with the run's own",
        ),
        (lambda: unetseg.ablate("long", seed=3), "ablate(): 'seed' is no setting of this"),
        (lambda: unetseg.ablate("long", workers=0), "ablate(): workers 0: must be at least 1"),
        (lambda: unetseg.ablate("lnog"), "did you mean 'long'"),
        (lambda: unetseg.probe(lr=1.0), "probe(): 'lr' is no setting of this"),
        (lambda: unetseg.probe(arms=["plain"]), "probe(): arms goes with a study"),
        (lambda: unetseg.probe(steps=3), "probe(): steps: goes with landscape"),
        (unetseg.lesion, "lesion(): name a run"),
        (lambda: unetseg.lesion("gone", mode="zeros"), "did you mean 'zero'?"),
        (lambda: unetseg.predict("gone", "masks"), "gone: no such file or folder"),
        (lambda: unetseg.predict("gone", "masks", tta="flip"), "did you mean 'flips'?"),
        (lambda: unetseg.evaluate("gone", predictions="masks"), "name a run, or predictions and reference"),
        (
            lambda: unetseg.evaluate("gone", valid="x"),
            "evaluate(): valid, classes, instances and key go with",
        ),
        (
            lambda: unetseg.evaluate(predictions="a", reference="b", split="val"),
            "data, data_dir, split and device go with a run only",
        ),
        (lambda: unetseg.compare("a", "b", primary="ioo"), "no such metric"),
        (lambda: unetseg.compare("a", "b", key="x"), "compare(): valid, classes, instances and key go with"),
        (lambda: unetseg.export(format="onx"), "did you mean 'onnx'?"),
        (unetseg.evaluate, "evaluate(): name a run, or predictions and reference"),
        (lambda: unetseg.fit("basic"), "fit(): config 'basic': no such file; settings are given by name"),
        (lambda: unetseg.fit(epochs=2.5), "fit(): epochs '2.5': must be int"),
        (lambda: unetseg.fit(resume=3), "fit(): resume 3: must be text or a path or a Run or None"),
        (lambda: unetseg.compare(["a", "b"]), "compare(): takes them one by one: put a * before the list"),
        (unetseg.compare, "compare(): name runs that differ in more than the seed"),
        (lambda: unetseg.predict("a"), "predict(): missing a required argument: 'output'"),
        (lambda: unetseg.predict("a", "b", overlays=True), "did you mean 'overlay'?"),
        (lambda: unetseg.predict("a", "b", overwrite=True, continue_=True), "predict(): overwrite=True and"),
        (lambda: unetseg.load(3), "load(): run 3: must be"),
        (lambda: Run(3), "Run(3): give the path of the run's folder"),
    ],
)
def test_a_wrong_call_is_one_plain_line_that_is_offered_as_an_error(place, call, line):
    with pytest.raises(unetseg.UsageError) as caught:
        call()
    assert line in str(caught.value) and "\n" not in str(caught.value)
    assert isinstance(caught.value, unetseg.UnetsegError)
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("learning_rate", "lr"),
        ("--learning-rate", "--lr"),
        ("--LEARNING_RATE", "--lr"),
        ("image_size", "size"),
        ("--num-workers", "--workers"),
        ("model", "encoder"),
        ("batch", "batch_size"),
        ("skipz", "skips"),
    ],
)
def test_a_name_from_elsewhere_is_answered_with_the_one_that_it_has_here(word, meant):
    names = [spec.name for spec in fields(RunConfig)]
    known = ["--" + name.replace("_", "-") for name in names] if word.startswith("-") else names
    assert did_you_mean(word, known) == f"; did you mean '{meant}'?"


def test_a_name_from_elsewhere_is_not_answered_with_what_cannot_be_chosen():
    assert did_you_mean("model", ["reference", "modal"]) == "; did you mean 'modal'?"


def test_the_command_line_and_the_yaml_file_answer_alike(place, capsys):
    assert main(["fit", "--learning-rate", "1e-3"]) == 2
    assert "unknown flag --learning-rate; did you mean '--lr'?" in capsys.readouterr().err
    Path("run.yaml").write_text("learning-rate: 1e-3\n")
    assert main(["fit", "--config", "run.yaml"]) == 2
    assert "run.yaml: unknown key 'learning_rate'; did you mean 'lr'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["fit", "ablate", "probe"])
def test_trainer_arguments_of_a_file_and_of_the_call_are_joined(place, capsys, verb):
    Path("run.yaml").write_text("trainer: {max_steps: 2, limit_val_batches: 1}\n")
    if verb == "fit":
        assert main(["fit", "--config", "run.yaml", "--trainer.max_steps", "5", "--print-config"]) == 0
        assert "trainer:\n  max_steps: 5\n  limit_val_batches: 1\n" in capsys.readouterr().out
    with pytest.raises(UsageError, match="trainer"):  # the call reads the file, too
        getattr(unetseg, verb)(config="run.yaml", trainer=3)


def test_a_run_shows_its_data_net_and_score(fit, discs):
    run = fit("--skips", "0").run
    assert repr(run) == f"Run('run': {discs}, basic with skips 0 (drop), test IoU {run.test_iou:.3f})"
    run.test.unlink()
    assert repr(run).endswith("unfinished)")
    run.config_file.write_text("skips: [\n")
    assert repr(run) == "Run('run': cannot be read (UsageError))"
    assert repr(Run(Path("gone"))) == repr(Run("gone")) == "Run('gone': cannot be read (UsageError))"


def test_a_predictor_shows_its_net_classes_and_device(fit):
    pytest.importorskip("onnx")
    run = fit("--skips", "0", "--precision", "float32").run
    predictor = unetseg.load(run, "cpu")
    assert (
        repr(predictor)
        == f"Predictor(basic with skips 0 (drop); classes background, foreground; {predictor})"
    )
    assert str(predictor).startswith("cpu, ") and "float32" in str(predictor)
    shipped = predictor_from_onnx(unetseg.export(run))
    shown = "basic with skips 0 (drop); classes background, foreground; ONNX Runtime, cpu"
    assert repr(shipped) == f"Predictor({shown})"


def test_a_run_that_was_interrupted_is_gone_on_with(fit, capsys):
    run = fit().run
    lines: list[str] = []
    assert unetseg.fit(resume=run, report=lines.append) == run
    assert lines == ["run is finished: trained to its end and tested"]
    scores = run.test.read_bytes()
    run.test.unlink()
    assert unetseg.fit(resume="run", device="cpu", report=lines.append) == run
    assert run.test.read_bytes() == scores and lines[-1].endswith("the run is run")
    assert capsys.readouterr().out == ""


def test_masks_are_written_from_python_as_from_the_command_line(fit, discs, place):
    run = fit().run
    lines: list[str] = []
    result = unetseg.predict(discs / "images", "python", run, overlay=True, report=lines.append)
    assert result.written == 14 and result.classes == ("background", "foreground") and not result.failures
    assert lines[0].startswith("run run (")
    assert main(["predict", str(discs / "images"), "-o", "typed", "--run", "run", "--overlay"]) == 0
    written = sorted(path.relative_to("typed") for path in Path("typed").rglob("*.*g"))
    assert len(written) == 2 * 14
    assert all(
        (Path("python") / name).read_bytes() == (Path("typed") / name).read_bytes() for name in written
    )
    two = unetseg.predict(discs / "images/test0.png", "two", [run, "run"])
    assert two.written == 1


def test_masks_are_scored_and_what_is_left_out_is_said(place):
    for folder, names in (("guess", "ab"), ("truth", "a")):
        Path(folder).mkdir()
        for name in names:
            Image.fromarray(np.eye(8, dtype=np.uint8)).save(f"{folder}/{name}.png")
    lines: list[str] = []
    found = unetseg.evaluate(predictions="guess", reference="truth", report=lines.append, html="page.html")
    assert found["mean"]["dataset"]["iou"] == 1 and found["left_out"]["predictions"] == ["b.png"]
    assert lines == ["predictions without a reference (1): b.png"]
    assert "To repeat this" in Path("page.html").read_text()
    rows = unetseg.evaluate(predictions="guess", reference="truth", report=lines.append, rows=True)["rows"]
    assert [row["image"] for row in rows] == ["a"]
    assert json.loads(json.dumps(found)) == found


def test_lesions_probes_and_exports_come_back_as_values(fit, discs, place, capsys):
    run = fit("--stages", "3").run
    capsys.readouterr()
    found = unetseg.lesion(run, output="lesions")
    assert list(found.lesions.effects) == ["intact", "without 0", "without 1", "without 0,1"]
    assert [path.name for path in found.written] == ["lesions.csv", "lesions.json", "lesions.png"]
    probed = unetseg.probe(data=str(discs), stages=2, size=16, batch_size=2, seeds=2, cost=True)
    assert [len(each) for each in probed.flows.values()] == [2] and list(probed.costs) == ["basic"]
    assert probed.written == () and not probed.landscapes
    surfaces = unetseg.probe(landscape=[run], directions=2, steps=3)
    assert list(surfaces.landscapes) == ["run"] and surfaces.written == ()
    path = unetseg.export(run, format="safetensors")
    assert path == run.exported("safetensors") and path.is_file()
    assert capsys.readouterr().out == "", "what comes back is not printed"


def test_results_name_the_folder_of_their_report(fit, place):
    runs = [fit(out="on").run, fit("--skips", "off", out="off").run]
    assert unetseg.compare(*runs).folder is None
    assert not Path("out").exists()
    results = unetseg.compare(*runs, output="out")
    assert results.folder == Path("out") and Path("out/report.html").is_file()
    assert "folder" not in json.loads(Path("out/summary.json").read_text())
    with pytest.raises(UsageError, match="exists already; give another output, nothing is overwritten"):
        unetseg.compare(*runs, output="out")
    Path("file").write_text("mine")
    with pytest.raises(UsageError, match=r"compare\(\): output file: is no folder"):
        unetseg.compare(*runs, output="file")


def test_a_line_of_the_log_is_in_the_file_at_once(monkeypatch):
    file = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(file, write_through=False))
    print_line("epoch 1")
    assert file.getvalue() == b"epoch 1\n"


def test_the_package_runs_as_a_module(place):
    done = python("-m", "unetseg", "runs", folder=place)
    assert done.returncode == 0 and done.stdout == "no runs here; 'unetseg fit' trains one\n"
    assert python("-m", "unetseg", "rums", folder=place).returncode == 2


@pytest.mark.parametrize(
    "words",
    [
        "fit --skipz on", "fit --lr -1", "predict images -o masks --tta flop", "predict gone -o masks",
        "evaluate gone", "ablate long --workers 0", "compare a b --valid x", "probe --steps 3",
        "lesion gone --mode zeros", "export --format onx", "fit --resume gone", "fit --data nowhere",
    ],
)  # fmt: skip
def test_wrong_words_are_refused_before_torch_is_imported(place, words):
    code = f"import sys; from unetseg.cli import main; print(main({words.split()}), 'torch' in sys.modules)"
    assert python("-c", code, folder=place).stdout == "2 False\n"
