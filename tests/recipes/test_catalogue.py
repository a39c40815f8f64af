"""What the list of recipes says is what was published."""

import re

from rdepth_keras.evaluate.rows import published_rows
from rdepth_keras.recipes import RECIPES
from rdepth_keras.recipes.catalogue import PUBLISHED_AS, catalogue


def test_every_published_row_that_is_built_stands_in_it():
    entries = {entry.name: entry for entry in catalogue()}
    assert entries.keys() == RECIPES.keys()
    names = {row.name.partition(" [")[0] for row in published_rows()}
    assert {name for own in PUBLISHED_AS.values() for name in own} == names
    built = [name for name in PUBLISHED_AS if name in RECIPES]
    assert all(any(entries[name].published.values()) for name in built)


def test_figures_kinds_and_networks():
    entries = {entry.name: entry for entry in catalogue()}
    assert entries["pycda"].published == {"u2r": "32.14 (31.49)", "r2u": "36.25"}
    assert entries["daformer"].published == {"u2r": "", "r2u": "48.99"}
    assert entries["demo"].kind == entries["rdepth_daformer"].kind == "ours"
    assert (entries["clan"].kind, entries["cbst"].kind) == ("AT", "ST")
    assert entries["convnext_b"].kind == entries["dgcd"].kind == "supervised"
    assert entries["rdepth_b_s"].network == "base + small, upernet"
    assert entries["clan"].network == "resnet50_s16, aspp x 2"


def test_docstrings_print_the_published_figures():
    """Where a recipe says what was published, it is what the tables say, printed value by value."""
    for entry in catalogue():
        found = dict(re.findall(r"(u2r|r2u) (\d\d\.\d\d)", _published(entry.name)))
        expected = {key: text[:5] for key, text in entry.published.items() if text}
        if entry.name in ("rdepth_b_s", "rdepth_b_b"):
            expected = {key: expected[key] for key in found}
        assert found == expected, entry.name


def _published(name):
    return (RECIPES[name].__doc__ or "").partition("Published:")[2]
