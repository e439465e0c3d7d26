"""The text of conf-{stage}.yml and config.yml: what is allowed in them, and the values that it becomes."""
