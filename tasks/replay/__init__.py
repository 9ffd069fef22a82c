"""Somebody's history, brought to the loop period by period, and what came of it."""

FOLDER = "replays"  # of a home: a folder a replay, in which each course has a home of its own
