"""The README's table of variants is what its script makes of the records."""

import importlib.util
from pathlib import Path

from gan.variants import VARIANTS

ROOT = Path(__file__).parent.parent


def script():
    spec = importlib.util.spec_from_file_location("variants_table", ROOT / "scripts" / "variants_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_s_table_is_the_script_s():
    table = script()
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.split(table.START)[1].split(table.END)[0].strip() == table.table()


def test_every_row_has_a_variant_a_page_and_a_picture():
    table = script()
    for config in table.ROWS:
        assert table.configured(config)[0] in VARIANTS
        for file in (f"{config}.md", f"{config}.json", f"{config}_thumbnail.png"):
            assert (table.RESULTS / file).is_file()
