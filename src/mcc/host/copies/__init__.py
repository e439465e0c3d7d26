"""Files of backups and the sets that they lie in; what the copiers of all kinds share."""
