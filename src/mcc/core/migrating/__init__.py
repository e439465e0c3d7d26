"""Migrations: which files there are, which databases want which, what may not run."""
