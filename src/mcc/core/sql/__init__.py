"""The text of SQL: cut into statements, and what a statement does."""
