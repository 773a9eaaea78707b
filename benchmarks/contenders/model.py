"""The model that all contenders run: the service's default one, its files checked."""

import os

from benchmarks.contenders.speaking import Assignment
from benchmarks.machine import CHECKOUT
from config.model import Settings
from embedding.catalog import ModelEntry, load_catalog
from embedding.weights import checked_folder

MODELS_FILE = CHECKOUT / "config" / "models.yaml"


def default_entry() -> ModelEntry:
    """The catalog's default model."""
    return load_catalog(MODELS_FILE, Settings().task.default_model).resolve(None)


def default_assignment() -> Assignment:
    """The default model with as many threads as this process has cores."""
    entry = default_entry()
    threads = len(os.sched_getaffinity(0))
    return Assignment(folder=checked_folder(entry), max_tokens=entry.max_tokens, threads=threads)
