"""The units of systemd as text."""
