"""Statements that are right and may hurt a live release all the same."""
