"""Notes are said once a run, on stderr, in boxes that hold their text."""

from gan.base.notes import box, forget, say


def test_a_note_is_said_once_until_it_is_forgotten(capsys):
    forget()
    for _ in range(2):
        say("a note")
    assert capsys.readouterr() == ("", "a note\n")
    forget()
    say("a note")
    assert capsys.readouterr() == ("", "a note\n")


def test_a_box_is_as_wide_as_its_longest_line_and_keeps_paths_whole():
    path = "/a/very-long/path" * 6
    top, *lines, bottom = box(["some words " * 10, path], width=40).splitlines()
    assert top == bottom == "+" + "=" * (len(path) + 2) + "+"
    assert {len(line) for line in lines} == {len(top)}
    assert f"| {path} |" in lines
    assert " ".join(line.strip("| ") for line in lines[:-1]).split() == ["some", "words"] * 10
