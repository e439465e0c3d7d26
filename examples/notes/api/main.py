"""The web application: `uvicorn api.main:app`, on an address or on a socket handed over with `--fd`."""

from fastapi import FastAPI

from api.lifespan import lifespan
from api.routes import routers
from shared.version import version

app = FastAPI(title="Notes", version=version(), lifespan=lifespan)
for router in routers:
    app.include_router(router)
