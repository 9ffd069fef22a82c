"""What the service answers: a module per route, or for a few that belong together."""
