"""What the encoder tells Prometheus before it has done anything."""

import re
import subprocess
import sys

from embedding import figures
from models.states import Lane

SHOW = "import embedding.figures, prometheus_client as p; print(p.generate_latest().decode())"


def test_every_family_is_there_from_the_start_and_counts_nothing() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW], check=True, capture_output=True, text=True
    ).stdout
    families = {value._name for value in vars(figures).values() if hasattr(value, "_name")}
    assert len(families) >= 18
    for name in families:
        assert f"# HELP {name}" in shown, name
    counted = dict(
        re.findall(r"^(vectorize_encoder_\w+_(?:total|count)\S*) (\S+)$", shown, re.MULTILINE)
    )
    assert set(counted.values()) == {"0.0"}
    for lane in Lane:
        assert f'vectorize_encoder_tokens_total{{lane="{lane}"}}' in counted
    for outcome in ("mended", "failed"):
        assert f'vectorize_encoder_recomputed_total{{outcome="{outcome}"}}' in counted
