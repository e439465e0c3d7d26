"""What only root may do for a site: units, nginx, sudoers, folders; as files, a diff and a script."""
