"""From a probability to a decision: the one place that says where success begins."""

from typing import overload

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.5
JUST_ABOVE_THRESHOLD = float(np.nextafter(THRESHOLD, 1.0))


@overload
def predicts_success(probability: float) -> bool: ...
@overload
def predicts_success(probability: NDArray[np.float64]) -> NDArray[np.bool_]: ...
def predicts_success(probability: float | NDArray[np.float64]) -> bool | NDArray[np.bool_]:
    """Whether a probability of success, or each of an array, is above the threshold."""
    return probability > THRESHOLD
