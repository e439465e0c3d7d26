"""A project's own ``mcc_deploy.py``, run in child processes.

``project`` starts them and reads what they answer; ``child`` is what runs in them; ``context`` is what a
function of the project's gets; ``shown`` makes the project's own lines of an error.
"""
