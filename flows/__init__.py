"""Sentences made of tasks: training, batch scoring, monitoring, retention, and traffic, which stands in for the outside
world."""
