"""SQLite: databases brought forward, copied, read back and put back."""
