"""The array types that cross the package's seams."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]
"""float32, row-major; the docstring that names one gives its shape."""
