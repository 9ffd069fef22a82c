"""From predictions and outcomes to metrics, a drift report, and the call for retraining."""
