"""From a probability to a decision: the one place that says where success begins."""

from typing import overload

import numpy as np
from numpy.typing import NDArray

from campaign.schema_parts import Gain, Share

THRESHOLD = 0.5  # of a model whose schema says nothing else
JUST_ABOVE_THRESHOLD = float(np.nextafter(THRESHOLD, 1.0))


@overload
def predicts_success(probability: float, threshold: float = THRESHOLD) -> bool: ...
@overload
def predicts_success(probability: NDArray[np.float64], threshold: float = THRESHOLD) -> NDArray[np.bool_]: ...
def predicts_success(
    probability: float | NDArray[np.float64], threshold: float = THRESHOLD
) -> bool | NDArray[np.bool_]:
    """Whether a probability of success, or each of an array, is above the threshold."""
    return probability > threshold


def threshold_of(decide: float | Gain | Share, probability: NDArray[np.float64]) -> float:
    """Where to act, as a schema says it: at a probability, where it pays, or on a share of campaigns.

    `probability` is of campaigns that the model was not fitted on; a share is taken of them.
    """
    if isinstance(decide, Gain):
        return min(decide.cost / decide.gain, 1.0)
    if isinstance(decide, Share):
        return float(np.quantile(probability, 1 - decide.share))
    return float(decide)
