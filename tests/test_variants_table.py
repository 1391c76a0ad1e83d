"""The README's table of variants is what its script makes of the records."""

from pathlib import Path

import variants_table

from gan.variants import VARIANTS

README = Path(__file__).parent.parent / "README.md"


def test_the_readme_s_table_is_the_script_s():
    text = README.read_text(encoding="utf-8")
    table = text.split(variants_table.START)[1].split(variants_table.END)[0].strip()
    assert table == variants_table.table()


def test_every_row_has_a_variant_a_page_and_a_picture():
    for config in variants_table.ROWS:
        assert variants_table.configured(config)[0] in VARIANTS
        for file in (f"{config}.md", f"{config}.json", f"{config}_thumbnail.png"):
            assert (variants_table.RESULTS / file).is_file()
