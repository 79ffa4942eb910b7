"""The house keeps its shape: no circles, no import upward, rooms without torch, short files, plain names.

The imports are read from the source, so that those inside functions and under ``TYPE_CHECKING`` count too.
A string that names a module of the package counts as an import of it: so are names looked up when first used.
"""

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "unetseg"

# From the bottom: each room imports only from those before it. The package's own __init__ offers the API.
ORDER = (
    "errors", "utilities", "skip_levels", "config_checks", "config", "metrics", "runs", "data", "plots",
    "models", "training", "inference", "evaluation", "experiment", "planning", "studies", "probes", "report",
    "api", "__init__", "commands", "cli", "__main__",
)  # fmt: skip
WITHOUT_TORCH = (
    "config", "metrics", "data.images", "evaluation.folders", "planning.facts", "planning.rules",
    "planning.budget",
)  # fmt: skip
TORCH = (
    "torch", "torchvision", "lightning", "segmentation_models_pytorch", "timm", "albumentations",
    "safetensors.torch",
)  # fmt: skip
LONGEST = 300  # lines


class Package:
    """The modules of a package by dotted name, and what each imports."""

    def __init__(self, root: Path) -> None:
        self.name = root.name
        self.files = {self._module(root, path): path for path in sorted(root.rglob("*.py"))}
        self.imports = {module: set(self._imports(module)) for module in self.files}

    def _module(self, root: Path, path: Path) -> str:
        parts = path.relative_to(root.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _imports(self, module: str) -> Iterator[str]:
        """Yield modules of the package, and modules of others by their full names."""
        tree = ast.parse(self.files[module].read_text(encoding="utf-8"))
        called = {id(call.args[0]) for call in ast.walk(tree) if is_call_of_import(call)}
        for node in ast.walk(tree):
            match node:
                case ast.Import():
                    yield from (self._nearest(alias.name) for alias in node.names)
                case ast.ImportFrom():
                    source = self._source(module, node)
                    yield from (self._nearest(f"{source}.{alias.name}") for alias in node.names)
                case ast.Constant(value=str(text)) if (
                    text in self.files.keys() - {self.name} or id(node) in called
                ):
                    yield self._nearest(text)
                case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) if id(node) in called:
                    yield from (other for other in self.files if other.startswith(text))

    def _source(self, module: str, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = module if self.files[module].name == "__init__.py" else module.rpartition(".")[0]
        parts = package.split(".")[: len(package.split(".")) - node.level + 1]
        return ".".join([*parts, *filter(None, [node.module])])

    def _nearest(self, name: str) -> str:
        """Return the module that holds ``name``; a name of another package stays as it is."""
        while name.startswith(f"{self.name}.") and name not in self.files:
            name = name.rpartition(".")[0]
        return name

    def within(self, module: str) -> set[str]:
        """Return what ``module`` imports from this package."""
        return {other for other in self.imports[module] if other in self.files and other != module}

    def is_at_or_below(self, module: str, place: str) -> bool:
        return f"{module}.".startswith(f"{self.name}.{place}.")

    def parents(self, module: str) -> list[str]:
        """Return the packages whose ``__init__`` runs before ``module``, but the outermost.

        Its names are looked up when somebody asks for one, which no module of the package does.
        """
        parts = module.split(".")
        return [".".join(parts[:length]) for length in range(2, len(parts))]


def is_call_of_import(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not node.args:
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return called in ("import_module", "__import__")


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """Return one circle as a line, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" → ".join(reversed(error.args[1]))]
    return []


def circles(package: Package) -> list[str]:
    """No module imports itself through others."""
    return find_circle({module: package.within(module) for module in package.files})


def circles_of_children(package: Package) -> list[str]:
    """In every package, what lies directly in it (files and whole subpackages) imports in one direction."""
    found = []
    for parent in (module for module, file in package.files.items() if file.name == "__init__.py"):

        def child(module: str, parent: str = parent) -> str:
            rest = module.removeprefix(parent).removeprefix(".")
            return f"{parent}.{rest.split('.')[0] or '__init__'}"

        graph: dict[str, set[str]] = defaultdict(set)
        for module in package.files:
            for other in package.within(module):
                if all(f"{each}.".startswith(f"{parent}.") for each in (module, other)):
                    graph[child(module)] |= {child(other)} - {child(module)}
        found += find_circle(graph)
    return found


def upward_imports(package: Package, order: Sequence[str]) -> list[str]:
    """Every module stands in a room of the order, and imports from its own room and those before it only."""

    def room(module: str) -> str:
        return (module.split(".")[1:] or ["__init__"])[0]

    lost = sorted({room(module) for module in package.files} - {*order})
    if lost:
        return [f"{name}: has no place in the order of rooms" for name in lost]
    return [
        f"{module} → {other}: imports upward"
        for module in package.files
        for other in sorted(package.within(module))
        if order.index(room(other)) > order.index(room(module))
    ]


def reached(package: Package, places: Sequence[str], forbidden: Sequence[str]) -> list[str]:
    """No chain of imports leads from these places to a forbidden package, be it through an ``__init__``."""
    found = []
    starts = [m for m in package.files if any(package.is_at_or_below(m, place) for place in places)]
    for start in starts:
        chains = [[start]]
        seen = {start}
        for chain in chains:  # grows as it is walked: the shortest chain comes first
            module = chain[-1]
            for other in sorted(package.imports[module]):
                if any(f"{other}.".startswith(f"{name}.") for name in forbidden):
                    found.append(" → ".join([*chain, other]))
            for other in [*sorted(package.within(module)), *package.parents(module)]:
                if other in package.files and other not in seen:
                    seen.add(other)
                    chains.append([*chain, other])
    return found


def long_files(package: Package, longest: int) -> list[str]:
    """No file has more lines than ``longest``."""
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in package.files.values()}
    return [
        f"{file}: {lines} lines, more than {longest}" for file, lines in lengths.items() if lines > longest
    ]


def repeated_names(package: Package) -> list[str]:
    """No module has the name of another; a verb in ``commands`` may have that of the room it calls."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for module in package.files:
        if module != package.name and not package.is_at_or_below(module, "commands"):
            by_name[module.rpartition(".")[2]].append(module)
    return [f"{name}: {' and '.join(modules)}" for name, modules in by_name.items() if len(modules) > 1]


@pytest.fixture(scope="module")
def unetseg() -> Package:
    package = Package(ROOT)
    assert len(package.files) > 100, "the package was not found"
    return package


def test_no_module_imports_itself_through_others(unetseg):
    assert circles(unetseg) == []


def test_the_parts_of_every_package_import_in_one_direction(unetseg):
    assert circles_of_children(unetseg) == []


def test_no_room_imports_from_one_above(unetseg):
    assert upward_imports(unetseg, ORDER) == []


def test_scores_configuration_and_images_never_reach_torch(unetseg):
    assert reached(unetseg, WITHOUT_TORCH, TORCH) == []


def test_every_file_can_be_read_in_one_sitting(unetseg):
    assert long_files(unetseg, LONGEST) == []


def test_every_module_has_a_name_of_its_own(unetseg):
    assert repeated_names(unetseg) == []


@pytest.fixture
def plant(tmp_path: Path) -> Callable[[dict[str, str]], Package]:
    """Write a package ``house`` from texts by path."""

    def write(texts: dict[str, str]) -> Package:
        for name, text in {"__init__.py": "", **texts}.items():
            path = tmp_path / "house" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Package(tmp_path / "house")

    return write


SOUND = {
    "cellar.py": "import json\n",
    "hall/__init__.py": "",
    "hall/door.py": "from house import cellar\n",
    "hall/stairs.py": "from house.hall.door import knock\nfrom ..cellar import wine\n",
    "roof.py": "from house.hall import stairs\nimport torch\n",
}
ROOMS = ("cellar", "hall", "roof", "__init__")


def test_a_sound_house_passes_every_rule(plant):
    house = plant(SOUND)
    assert house.within("house.hall.stairs") == {"house.hall.door", "house.cellar"}
    assert circles(house) == circles_of_children(house) == upward_imports(house, ROOMS) == []
    assert (
        reached(house, ["cellar", "hall"], ["torch"]) == long_files(house, 2) == repeated_names(house) == []
    )


@pytest.mark.parametrize(
    "text",
    [
        "from house.hall.stairs import step\n",
        "from .stairs import step\n",
        "def late():\n    from house.hall import stairs\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import house.hall.stairs\n",
        "NAMES = {'step': 'house.hall.stairs'}\n",
        "from importlib import import_module\nimport_module(f'house.hall.st{1}')\n",
    ],
    ids=["plain", "relative", "lazy", "type checking", "looked up by name", "name in parts"],
)
def test_a_circle_is_found_however_it_is_imported(plant, text):
    (line,) = circles(plant({**SOUND, "hall/door.py": text}))
    assert line in (
        "house.hall.door → house.hall.stairs → house.hall.door",
        "house.hall.stairs → house.hall.door → house.hall.stairs",
    )


def test_a_circle_of_subpackages_is_found_where_no_module_is_in_one(plant):
    house = plant(
        {
            "east/__init__.py": "",
            "east/low.py": "",
            "east/high.py": "import house.west.low\n",
            "west/__init__.py": "",
            "west/low.py": "",
            "west/high.py": "import house.east.low\n",
        }
    )
    assert circles(house) == []
    (line,) = circles_of_children(house)
    assert {*line.split(" → ")} == {"house.east", "house.west"}


def test_an_import_upward_is_found(plant):
    house = plant({**SOUND, "cellar.py": "def late():\n    from house.roof import tile\n"})
    assert upward_imports(house, ROOMS) == ["house.cellar → house.roof: imports upward"]


def test_a_room_without_a_place_in_the_order_is_found(plant):
    house = plant({**SOUND, "shed.py": ""})
    assert upward_imports(house, ROOMS) == ["shed: has no place in the order of rooms"]


@pytest.mark.parametrize(
    ("texts", "chain"),
    [
        ({"cellar.py": "def late():\n    import torch.nn\n"}, "house.cellar → torch.nn"),
        ({"cellar.py": "import house.roof\n"}, "house.cellar → house.roof → torch"),
        (
            {
                "cellar.py": "import house.hall.door\n",
                "hall/door.py": "",
                "hall/__init__.py": "import torch\n",
            },
            "house.cellar → house.hall.door → house.hall → torch",
        ),
        (
            {"cellar.py": "from importlib import import_module\nimport_module('torch')\n"},
            "house.cellar → torch",
        ),
    ],
    ids=["lazy", "through another room", "through the __init__ of a parent", "by its name"],
)
def test_torch_is_found_at_the_end_of_a_chain(plant, texts, chain):
    assert reached(plant({**SOUND, **texts}), ["cellar"], ["torch"]) == [chain]


def test_a_name_that_only_begins_like_torch_is_another_package(plant):
    assert reached(plant({**SOUND, "cellar.py": "import torchlight\n"}), ["cellar"], ["torch"]) == []


def test_a_long_file_is_found(plant, tmp_path):
    house = plant({**SOUND, "cellar.py": "\n" * 301})
    assert long_files(house, 300) == [f"{tmp_path}/house/cellar.py: 301 lines, more than 300"]


def test_a_name_that_two_modules_have_is_found_but_for_verbs(plant):
    house = plant({**SOUND, "commands/hall.py": "", "yard/door.py": ""})
    assert repeated_names(house) == ["door: house.hall.door and house.yard.door"]
