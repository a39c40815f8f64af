"""The first few names are shown, and the rest counted."""

from rdepth_keras.naming import shorten


def test_names():
    assert shorten([]) == "" and shorten(["a", 2]) == "a, 2"
    assert shorten("abcd", 4) == "a, b, c, d" and shorten("abcde", 3) == "a, b, c and 2 more"
    assert shorten("abc", between=" = ") == "a = b = c"
