"""The datasets by name. A new one is a class of :class:`~rdepth_keras.data.dataset.Dataset` in a
file of its own, and a line here."""

from rdepth_keras.data.dataset import Dataset
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.data.loveda.dataset import LoveDA

DATASETS: dict[str, type[Dataset]] = {
    "loveda_rdepth": LoveDA,
    "folder": Folder,
    "demo": Demo,
}
