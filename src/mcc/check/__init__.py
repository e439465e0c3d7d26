"""Everything that would stop a deploy, found before it does."""
