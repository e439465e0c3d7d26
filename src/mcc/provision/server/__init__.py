"""What this server has already, and how that differs from what is wanted."""
