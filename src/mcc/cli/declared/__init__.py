"""What each command takes, as typer reads it. What a command does is imported when it runs."""
