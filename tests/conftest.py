"""Fixtures for all suites."""

from postgres_cluster import postgres, postgres_cluster

__all__ = ["postgres", "postgres_cluster"]
