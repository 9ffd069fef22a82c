"""Sentences made of tasks: training, batch scoring, monitoring, and the traffic that stands in for the outside world."""
