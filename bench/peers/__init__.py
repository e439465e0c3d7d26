"""The same tree over ssh to the same server by mcc and by what one would use instead: seconds, visitors, kills.

``python bench/peers`` as root. Two booted Debians (``tests/box``): a desk, where the tools are, and a server. What
each tool is told to do lies in ``desk/``, as its user would keep it.
"""
