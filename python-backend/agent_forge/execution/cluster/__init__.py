"""A Ray cluster. Nothing else in this program imports ray."""
