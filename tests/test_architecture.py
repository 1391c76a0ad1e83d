"""Imports only point down."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "gan"
LAYERS = [  # from the top; files of one layer may import each other, except in the last
    {"cli"},
    {"commands", "help", "new"},
    {"config", "experiments", "callbacks", "variants"},
    {"checkpoint", "evaluation", "provenance"},
    {"module", "building", "updating", "resumable"},
    {"sampling", "recipe", "balance"},
    {"networks", "data", "metrics"},
    {"choices", "images", "streams", "errors"},
    {"losses", "penalties", "priors", "inits", "optimizers", "augmentations", "auxiliaries"},
]
MATHEMATICS = LAYERS[-1]
PARTS = {part: depth for depth, layer in enumerate(LAYERS) for part in layer}
ALLOWED = {("__init__", "checkpoint")}  # `gan.load`, at first use


def imports(path: Path) -> set[str]:
    """Modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module} if node.module != "gan" else {f"gan.{alias.name}" for alias in node.names}
    return found


def parts() -> list[tuple[str, Path]]:
    files = sorted(PACKAGE.rglob("*.py"))
    return [(file.relative_to(PACKAGE).with_suffix("").parts[0], file) for file in files]


def test_imports_only_point_down():
    for part, path in parts():
        for module in imports(path):
            if not module.startswith("gan."):
                continue
            target = module.split(".")[1]
            if target == part or (part, target) in ALLOWED:
                continue
            assert part in PARTS, f"{path}: say in this test where {part} belongs"
            assert PARTS[target] >= PARTS[part], f"{path} imports {module}, which is above it"


def test_the_mathematics_imports_torch_only():
    for part, path in parts():
        if part in MATHEMATICS:
            assert {module.split(".")[0] for module in imports(path)} <= {"torch", "collections", "typing", "math"}, (
                path
            )


def test_no_file_is_long():
    for _, path in parts():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
