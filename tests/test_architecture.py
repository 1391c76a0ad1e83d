"""Imports only point down."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "gan"
LAYERS = [  # rooms from the top; rooms of one layer do not import each other, unless ALLOWED says so
    {"cli"},
    {"ablations"},
    {"runs", "variants"},
    {"engine"},
    {"measure"},
    {"data"},
    {"parts"},
    {"base"},
]
ROOMS = {room: depth for depth, layer in enumerate(LAYERS) for room in layer}
# `python -m gan`; `gan.load`, at first use; a run finds its variant by name.
ALLOWED = {("__main__", "cli"), ("__init__", "runs"), ("runs", "variants")}
# Of `parts` the small functions of tensors: they import nothing of gan, so that each can be read, and taken, alone.
MATHEMATICS = {"losses", "penalties", "priors", "inits", "optimizers", "augmentations", "auxiliaries"}
OF_MATHEMATICS = {"torch", "collections", "typing", "math"}


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


def files() -> list[tuple[str, Path]]:
    """Every file with the room that it is in."""
    return [(file.relative_to(PACKAGE).with_suffix("").parts[0], file) for file in sorted(PACKAGE.rglob("*.py"))]


def test_imports_only_point_down():
    for room, path in files():
        for module in imports(path):
            if not module.startswith("gan."):
                continue
            target = module.split(".")[1]
            if target == room or (room, target) in ALLOWED:
                continue
            assert room in ROOMS, f"{path}: say in this test where {room} belongs"
            assert ROOMS[target] > ROOMS[room], f"{path} imports {module}, which is not below it"


def test_the_parts_do_not_import_each_other():
    for path in sorted((PACKAGE / "parts").glob("*.py")):
        if path.stem in MATHEMATICS:
            assert {module.split(".")[0] for module in imports(path)} <= OF_MATHEMATICS, path


def test_no_file_is_long():
    for _, path in files():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
