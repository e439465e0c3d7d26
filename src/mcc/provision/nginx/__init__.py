"""The site of nginx as text."""
