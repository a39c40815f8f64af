"""Labelled, unlabelled or partly so."""

from dataclasses import dataclass

import numpy as np

from rdepth_keras.data.splits import labelled_part, longest_side, shortest_side


@dataclass(frozen=True)
class Plain:
    labelled: bool

    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise AssertionError("nothing is read")


@dataclass(frozen=True)
class Mixed(Plain):
    labelled: bool = False

    def labelled_part(self):
        return Plain(True)


def test_labelled_part():
    whole = Plain(True)
    assert labelled_part(whole) is whole
    assert labelled_part(Plain(False)) is None
    assert labelled_part(Mixed()) == Plain(True)


class Long(Plain):
    def longest_side(self):
        return 99

    def shortest_side(self):
        return 7


def test_longest_side():
    assert longest_side([{"image": np.zeros((8, 12, 3))}, None]) == 12, "the first is read"
    assert longest_side(Long(True)) == 99


def test_shortest_side():
    assert shortest_side([{"image": np.zeros((8, 12, 3))}, None]) == 8, "the first is read"
    assert shortest_side(Long(True)) == 7
