"""What a project lacks to be deployed, found and written."""
