"""A run: an experiment in a directory. Here the floors below meet; scripts only parse and print.

A run directory holds ``experiment.json`` (all settings, enough to run it again),
``environment.json`` (versions, device, data), ``journal.jsonl``, ``checkpoints/`` (and ``best/``
where one is chosen), ``metrics.json``, ``evaluations/<split>_<domain>.json`` with the counts of
every tile as NPZ beside it, and what else was asked for: ``evaluations/….html``, ``ablations/``.
"""

from rdepth_keras.run.ablate import ablate_depth
from rdepth_keras.run.comparison import compare, headline
from rdepth_keras.run.directory import read_experiment
from rdepth_keras.run.evaluation import evaluate, prepare_scoring, write_scores
from rdepth_keras.run.pictures import predict_picture
from rdepth_keras.run.predictor import load_predictor
from rdepth_keras.run.report import write_report
from rdepth_keras.run.submit import submit
from rdepth_keras.run.training import Watch, resume, start

__all__ = [
    "Watch",
    "ablate_depth",
    "compare",
    "evaluate",
    "headline",
    "load_predictor",
    "predict_picture",
    "prepare_scoring",
    "read_experiment",
    "resume",
    "start",
    "submit",
    "write_report",
    "write_scores",
]
