"""What was read from a project or a server, judged: each look gives findings."""
