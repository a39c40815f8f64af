"""Runs: experiments in directories. Here the floors below meet; scripts only parse and print."""

from rdepth_keras.run.ablate import ablate_depth
from rdepth_keras.run.benchmark import expected_submission, submit
from rdepth_keras.run.comparison import compare, headline
from rdepth_keras.run.directory import Run
from rdepth_keras.run.evaluation import evaluate, prepare_trial
from rdepth_keras.run.files import others
from rdepth_keras.run.pictures import load_picture_predictor
from rdepth_keras.run.predictor import load_ensemble, load_predictor
from rdepth_keras.run.report import write_report
from rdepth_keras.run.training import Watch, resume, start

__all__ = [
    "Run",
    "Watch",
    "ablate_depth",
    "compare",
    "evaluate",
    "expected_submission",
    "headline",
    "load_ensemble",
    "load_picture_predictor",
    "load_predictor",
    "others",
    "prepare_trial",
    "resume",
    "start",
    "submit",
    "write_report",
]
