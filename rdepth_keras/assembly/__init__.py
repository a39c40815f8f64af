"""An experiment's parts put together: networks, step, tiles and batches. No directory, no file."""

from rdepth_keras.assembly.networks import (
    class_variables,
    inference_network,
    training_network,
)
from rdepth_keras.assembly.tiles import (
    Sources,
    all_at_once,
    check_files,
    domain_batches,
    flat_depth,
    kept,
    labelled_tiles,
    left_out,
    open_data,
    several_origins,
    target_batches,
    training_sources,
)
from rdepth_keras.assembly.training import Assembly, assemble

__all__ = [
    "Assembly",
    "Sources",
    "all_at_once",
    "assemble",
    "check_files",
    "class_variables",
    "domain_batches",
    "flat_depth",
    "inference_network",
    "kept",
    "labelled_tiles",
    "left_out",
    "open_data",
    "several_origins",
    "target_batches",
    "training_network",
    "training_sources",
]
