"""PostgreSQL: databases brought forward, copied, read back and put back. psycopg is imported when it is needed."""
