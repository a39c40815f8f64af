"""The first few names are shown, and the rest counted; files with one fault are told together."""

from rdepth_keras.naming import shorten, tell_faults


def test_names():
    assert shorten([]) == "" and shorten(["a", 2]) == "a, 2"
    assert shorten("abcd", 4) == "a, b, c, d" and shorten("abcde", 3) == "a, b, c and 2 more"
    assert shorten("abc", between=" = ") == "a = b = c"


def test_files_with_one_fault_are_told_together():
    faults = ["a.png: truncated.", "b.png and c.png bear one name.", "d.png: empty: 0 bytes."]
    assert tell_faults([*faults, "e.png: truncated."]) == (
        "a.png, e.png: truncated. d.png: empty: 0 bytes. b.png and c.png bear one name."
    )
    assert tell_faults([]) == "" and tell_faults(faults[:1]) == faults[0]
