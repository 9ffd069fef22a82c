"""From a day of campaigns to its predictions and their manifest."""
