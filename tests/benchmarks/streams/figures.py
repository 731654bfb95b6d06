"""Figures of figures."""

from collections.abc import Sequence

import numpy as np


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile; of nothing, it is no number."""
    return float(np.percentile(values, percent)) if values else float("nan")
