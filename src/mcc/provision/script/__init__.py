"""The one shell script that root runs: what it says of a site (``write``), and how it works (``functions``)."""
