"""The text of crontabs: one block a site, its jobs, their schedules."""
