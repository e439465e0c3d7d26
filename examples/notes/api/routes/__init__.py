"""All routes. `pages` comes last: it takes every path that nobody else has."""

from api.routes import health, notes, pages, slow, version

routers = [health.router, version.router, notes.router, slow.router, pages.router]
