"""Messages to people: by mail, and by all that apprise knows."""
