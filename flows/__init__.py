"""Sentences made of tasks: training, batch scoring, monitoring, and traffic, which stands in for the outside world."""
