"""Glyphs: which fonts, which families where, the same images everywhere, and fonts of no use."""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
import torch
import yaml
from run_support import QUIET, SMALL, TINY, checkpoint, error_line, gan

from gan.base.errors import UserError
from gan.data.sources.glyphs import fonts
from gan.data.sources.glyphs.fonts import MATPLOTLIB_FAMILIES, FontError, family_of, find_fonts, folder_faces, read_face
from gan.data.sources.glyphs.glyphs import COUNTS, PARTS, Glyphs, assign_families, render

SHIPPED = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
ROOT = Path("nowhere")  # glyphs has no files below a root


@pytest.fixture(scope="module")
def letters():
    return Glyphs().load(ROOT, "matplotlib", "family")


@pytest.fixture
def few(monkeypatch):
    """Ten images of each font: less to render."""
    monkeypatch.setattr("gan.data.sources.glyphs.glyphs.COUNTS", dict.fromkeys(COUNTS, 1))


@pytest.fixture
def folder(tmp_path):
    """A user's folder with a folder in it: five fonts of three families."""
    (tmp_path / "fonts" / "serif").mkdir(parents=True)
    for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "cmr10.ttf"):
        shutil.copy(SHIPPED / name, tmp_path / "fonts")
    for name in ("STIXGeneral.ttf", "STIXGeneralItalic.ttf"):
        shutil.copy(SHIPPED / name, tmp_path / "fonts" / "serif")
    return tmp_path / "fonts"


def get(source="auto", split="family", **parameters):
    glyphs = Glyphs(**parameters)
    glyphs.prepare(ROOT, source)
    return glyphs.load(ROOT, source, split)


def image_set(split):
    return {image.numpy().tobytes() for image in split.images}


def test_counts_classes_and_provenance(letters):
    assert letters.counts == {"train": 5_040, "held_out": 520, "test": 1_000}
    for part in (letters.train, letters.held_out, letters.test):
        assert part.images.shape[1:] == (1, 28, 28)
        assert set(torch.bincount(part.labels).tolist()) == {len(part) // 10}
        assert part.labels[:10].tolist() == list(range(10))
        assert len(image_set(part)) > 0.99 * len(part)  # variants differ
    provenance = letters.provenance
    assert json.loads(json.dumps(provenance)) == provenance
    assert provenance["source"] == letters.source == "matplotlib"
    assert len(provenance["files"]) == 21 + 1
    assert all(len(sha256) == 64 for sha256 in provenance["files"].values())
    assert provenance["freetype"].count(".") == 2
    assert not provenance["held_out_is_trained_on"]


def test_no_family_is_in_two_parts(letters):
    families = letters.provenance["families"]
    assert families == {part: list(names) for part, names in PARTS.items()}
    assert sorted(name for names in families.values() for name in names) == sorted(MATPLOTLIB_FAMILIES)
    assert not image_set(letters.train) & (image_set(letters.held_out) | image_set(letters.test))
    assert not image_set(letters.held_out) & image_set(letters.test)


def test_full_trains_on_the_held_out_images_too(few):
    family, full = get("matplotlib"), get("matplotlib", split="full")
    assert full.counts == {"train": 160, "held_out": 40, "test": 50}
    assert torch.equal(full.train.images, torch.cat([family.train.images, family.held_out.images]))
    assert torch.equal(full.train.labels, torch.cat([family.train.labels, family.held_out.labels]))
    assert torch.equal(full.test.images, family.test.images)
    assert full.provenance["held_out_is_trained_on"]


def test_letters_look_like_themselves(letters):
    """Whatever FreeType's version: bright ink on black, in the middle of the frame, the form of each letter."""
    mean = torch.stack([letters.test.images[letters.test.labels == k, 0].float().mean(dim=0) for k in range(10)]) / 255
    assert mean[:, [0, -1]].mean() < 0.1
    assert mean[:, :, [0, -1]].mean() < 0.1
    assert 0.2 < mean.mean() < 0.35
    columns = torch.arange(28.0)
    for k, name in enumerate("ABCDEFGHIJ"):
        centre = (mean[k].sum(dim=0) * columns).sum() / mean[k].sum()
        assert 9 < centre < 18, name
    left, top = mean[:, 8:20, 3:7].mean(dim=(1, 2)), mean[:, 2:6, 4:24].mean(dim=(1, 2))
    assert left["ABCDEFGHIJ".index("C")] > 2 * left["ABCDEFGHIJ".index("J")]  # C has its stroke at the left
    assert top["ABCDEFGHIJ".index("E")] > 2 * top["ABCDEFGHIJ".index("A")]  # E has a bar on top


def test_sans_serif_letters_keep_their_proportions():
    face = read_face(SHIPPED / "DejaVuSans.ttf", "DejaVuSans.ttf")
    widths = [(render(face, letter, 0, inverted=0.0).max(axis=0) > 127).sum() for letter in range(10)]
    assert widths["ABCDEFGHIJ".index("I")] < 12
    assert widths["ABCDEFGHIJ".index("H")] >= 20


@pytest.mark.slow
def test_the_same_in_another_process(few):
    code = (
        "from pathlib import Path; from gan.data.sources.glyphs import glyphs;"
        "glyphs.COUNTS = dict.fromkeys(glyphs.COUNTS, 1);"
        "print(glyphs.Glyphs().load(Path(), 'matplotlib', 'family').files['rendered images'])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == get("matplotlib").files["rendered images"]


def test_an_image_does_not_depend_on_the_other_fonts(folder, few):
    before = get(fonts=str(folder))
    shutil.copy(SHIPPED / "STIXGeneralBol.ttf", folder)
    after = get(fonts=str(folder))
    everything = [torch.cat([part.images for part in (d.train, d.held_out, d.test)]) for d in (before, after)]
    old, new = ({image.numpy().tobytes() for image in images} for images in everything)
    assert len(old) == 50
    assert len(new) == 60
    assert old < new


def test_the_inverted_share(monkeypatch):
    monkeypatch.setattr("gan.data.sources.glyphs.glyphs.COUNTS", {"train": 1_200, "held_out": 1, "test": 1})
    plain, inverted = get("matplotlib"), get("matplotlib", inverted=0.3)
    changed = (inverted.train.images != plain.train.images).flatten(1).any(dim=1)
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.04)  # 3 standard deviations of 1,200 draws
    assert torch.equal(inverted.train.images[changed], 255 - plain.train.images[changed])
    assert inverted.files != plain.files  # other images: numbers do not compare


def test_all_inverted(few):
    assert torch.equal(get("matplotlib", inverted=1).test.images, 255 - get("matplotlib").test.images)


@pytest.mark.parametrize("inverted", [-0.1, 1.5, float("nan")])
def test_a_share_is_from_0_to_1(inverted):
    with pytest.raises(UserError, match=r"from 0 to 1, got .*; give --data\.inverted"):
        Glyphs(inverted=inverted)


def test_the_default_is_said_once_and_loudly(few, capsys):
    get()
    said = capsys.readouterr().err
    assert len({len(line) for line in said.splitlines()}) == 1  # a box
    assert "rendered from the 21 fonts that matplotlib ships, NOT notMNIST" in said.replace("      |\n| ", " ")
    get()
    get("matplotlib")
    assert capsys.readouterr().err == ""


def test_fonts_of_a_user(folder, few, capsys):
    loaded = get(fonts=str(folder))
    assert loaded.source == "fonts"
    assert capsys.readouterr().err == ""
    assert "serif/STIXGeneral.ttf" in loaded.provenance["files"]
    assert sorted(len(names) for names in loaded.provenance["families"].values()) == [1, 1, 1]
    assert sum(loaded.counts.values()) == 50
    assert torch.equal(get("fonts", fonts=str(folder)).train.images, loaded.train.images)


def test_shipped_fonts_as_a_users_folder(few, capsys):
    """The rules for unknown fonts find the allow-list's faces, and three whose symbols pass for letters."""
    loaded = get(fonts=str(SHIPPED))
    mathematics = {"cmex10.ttf", "cmmi10.ttf", "cmsy10.ttf"}
    allowed = {f"{stem}.ttf" for stems in MATPLOTLIB_FAMILIES.values() for stem in stems}
    assert loaded.provenance["files"].keys() - allowed == mathematics | {"rendered images"}
    assert allowed < loaded.provenance["files"].keys()
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "skipped 16 of the fonts: " in said
    assert "DejaVuSansDisplay.ttf (has no A)" in said


def test_families_by_hash():
    names = {f"Family {n}" for n in range(500)}
    parts = assign_families(names, ROOT)
    assert sorted(name for part in parts.values() for name in part) == sorted(names)
    assert len(parts["held_out"]) / 500 == pytest.approx(0.1, abs=0.04)
    assert len(parts["test"]) / 500 == pytest.approx(0.2, abs=0.05)
    fewer = assign_families({name for name in names if not name.endswith("7")}, ROOT)
    assert all(set(fewer[part]) <= set(parts[part]) for part in parts)
    for start in range(100):
        assert all(assign_families({f"Family {n}" for n in range(start, start + 3)}, ROOT).values())


def test_a_familys_name_without_its_style():
    for name in ("Roboto Light", "Roboto", "Roboto Condensed Extra Bold", "Roboto-SemiBold Italic", "Roboto Thin"):
        assert family_of(name) == "Roboto"
    assert family_of("DejaVu Sans Mono") == "DejaVu Sans Mono"
    assert family_of("Black") == "Black"


def damaged_fonts():
    whole = (SHIPPED / "cmr10.ttf").read_bytes()
    tables = struct.unpack(">H", whole[4:6])[0]
    glyf = next(12 + 16 * n for n in range(tables) if whole[12 + 16 * n :][:4] == b"glyf")
    offset = struct.unpack(">I", whole[glyf + 8 : glyf + 12])[0]
    return {
        "empty": b"",
        "text": b"not a font",
        "header": whole[:12],
        "half": whole[: len(whole) // 2],
        "no outlines": whole[:offset] + b"\xff" * (len(whole) - offset),
        "endless collection": b"ttcf" + struct.pack(">III", 0x10000, 2**32 - 1, 2**31),
    }


@pytest.mark.parametrize("damage", damaged_fonts())
def test_damaged_fonts_are_refused(tmp_path, damage):
    (tmp_path / "a.ttf").write_bytes(damaged_fonts()[damage])
    with pytest.raises(FontError, match=r"no font, or a damaged one|has no A|letters of|draws the same"):
        read_face(tmp_path / "a.ttf", "a.ttf")


def test_fonts_of_no_use_are_named(folder, monkeypatch, capsys):
    (folder / "bad.ttf").write_bytes(b"not a font")
    (folder / "copy.TTF").write_bytes((SHIPPED / "DejaVuSans.ttf").read_bytes())
    (folder / "dir.otf").mkdir()
    os.mkfifo(folder / "pipe.ttf")
    shutil.copy(SHIPPED / "LastResortHE-Regular.ttf", folder / "last.ttf")
    shutil.copy(SHIPPED / "STIXSizOneSymReg.ttf", folder / "symbols.ttf")
    (folder / "readme.txt").write_text("no font")
    monkeypatch.setattr(fonts, "MAX_BYTES", 800_000)
    (folder / "large.ttf").write_bytes(bytes(800_001))
    usable = [face.name for face in folder_faces(folder)]
    assert len(usable) == 5
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    for part in (
        *(
            "skipped 6 of the fonts",
            "bad.ttf (no font, or a damaged one)",
            "copy.TTF (the same content as another file)",
        ),
        *("large.ttf (more than 800,000 bytes)", "last.ttf (", "pipe.ttf (not a file)", "and 1 more"),
    ):
        assert part in said


def test_links_out_of_the_folder_are_not_followed(folder, tmp_path, capsys):
    (folder / "inside.ttf").symlink_to("cmr10.ttf")
    (folder / "outside.ttf").symlink_to(SHIPPED / "cmb10.ttf")
    (folder / "loop").symlink_to(folder)
    (folder / "broken.ttf").symlink_to("absent.ttf")
    found = [path.relative_to(folder).as_posix() for path in find_fonts(folder)]
    assert "inside.ttf" in found
    assert "outside.ttf" not in found
    assert len(found) == 7
    assert "lead out of the folder are not followed: 1" in capsys.readouterr().err
    with pytest.raises(FontError, match="not a file"):
        read_face(folder / "broken.ttf", "broken.ttf")


def test_too_many_fonts(folder, monkeypatch):
    monkeypatch.setattr(fonts, "MAX_FONTS", 4)
    with pytest.raises(UserError, match="more than 4 fonts"):
        get(fonts=str(folder))


def test_folders_of_no_use(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.ttf").write_bytes(b"not a font")
    for name, message in (
        ("empty", r"no \.ttf, \.otf, \.ttc file"),
        ("file", r"file: cannot be looked into \(Not a directory\)"),
        ("absent", r"absent: cannot be looked into \(No such file"),
        ("bad", "of 3 families are needed.*found: none; add fonts"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            get(fonts=str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_two_families_are_too_few(folder, few):
    shutil.rmtree(folder / "serif")
    with pytest.raises(UserError, match="found: DejaVu Sans, cmr10; add fonts"):
        get(fonts=str(folder))


def test_sources_that_contradict_the_fonts(folder):
    with pytest.raises(UserError, match=r"source=fonts needs a folder of fonts"):
        get("fonts")
    with pytest.raises(UserError, match=r"remove one of the two"):
        get("matplotlib", fonts=str(folder))


def test_through_the_command_line(folder, tmp_path, few, capsys):
    flags = (*TINY["MLPGAN"], *SMALL, *QUIET, "--trainer.max_steps=2", "--data.name=glyphs")
    words = (*flags, f"--data.fonts={folder}", "--data.inverted=0.5", f"--run={tmp_path / 'run'}")
    assert gan("fit", *words) == 0
    data = checkpoint(tmp_path / "run")["ImageDataModule"]
    assert (data["name"], data["source"]) == ("glyphs", "fonts")
    capsys.readouterr()
    assert gan("fit", *flags, f"--data.fonts={tmp_path / 'absent'}", f"--run={tmp_path / 'other'}") == 2
    assert "absent: cannot be looked into" in error_line(capsys.readouterr().err)


@pytest.mark.parametrize("name", ["my.fonts", "2024"])
def test_a_folder_of_fonts_may_have_any_name(name, folder, few, monkeypatch, capsys):
    monkeypatch.chdir(folder.parent)
    folder.rename(name)
    flags = (*TINY["MLPGAN"], *SMALL, *QUIET, "--trainer.max_steps=2", "--data.name=glyphs")
    assert gan("fit", *flags, f"--data.fonts={name}", "--run=run") == 0
    config = yaml.safe_load(Path("run", "config.yaml").read_text())
    assert config["data"]["name"]["fonts"] == str(Path(name).absolute())
    assert "pythonpath" not in config  # nothing to import
    assert gan("resume", "run", "--trainer.max_steps=3") == 0
    assert gan("sample", "run", "--num=4", "--out=a.npz") == 0
    assert gan("evaluate", "run", "--num=20") == 0
    assert "20 raw fakes against 20 test images of glyphs (fonts)" in capsys.readouterr().out
