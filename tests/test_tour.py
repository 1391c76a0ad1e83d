"""docs/tour.ipynb: a notebook that was executed, and that can be executed again."""

import json
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "tour.ipynb"
CELLS = json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def test_it_was_executed_from_top_to_bottom_and_names_no_machine():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    outputs = [output for cell in CODE for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    told = "".join("".join(output.get("text", "")) for output in outputs)
    assert not re.search(r"(^|\s)/\w", told)


@pytest.mark.slow
def test_its_cells_run(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in CODE:
        source = "".join(cell["source"]).replace('"max_steps": 400', '"max_steps": 100')
        exec(compile(source, "tour.ipynb", "exec"), names)
    assert (tmp_path / "runs" / "tour" / "digits" / "config.json").is_file()
