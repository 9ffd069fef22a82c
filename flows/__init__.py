"""Sentences made of tasks: training, batch scoring, monitoring, retention, the verdict on the challenger, and traffic,
which stands in for the outside world."""
