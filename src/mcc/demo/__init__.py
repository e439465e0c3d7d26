"""The demo: a sample application, deployed under load by mcc and by a script without mcc, side by side.

It stands outside of what it shows: it runs ``mcc deploy`` as anybody does, by its command line,
and reads the JSON lines.
"""
