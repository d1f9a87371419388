"""Assembly only: the API and the dashboard in one process, on one port.

    streamlit run app.py

`streamlit run` finds `app` by reading this file, so it is constructed here and under this name.
"""

import gc
import sys

gc.disable()  # collections find nothing while modules load, and take a sixth of that time
# FastAPI asks of every annotation whether it is of pydantic 1, and would load all of it to know: none is.
sys.modules["pydantic.v1"] = None  # type: ignore[assignment]

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Imported before serving: two first sessions would race on a half-imported pandas.
import pandas
import plotly.graph_objects
import pyarrow
import streamlit as st
from anyio import create_task_group, to_thread
from fastapi import FastAPI

import api_handler
from routes.system import VERSION
from services import build_services, set_current
from settings import PROJECT_ROOT, Settings
from supervisor import Supervisor, worker_environment

__all__ = ["app"]

PRELOADED = (pandas, plotly.graph_objects, pyarrow)

settings = Settings()
ui = st.App(str(PROJECT_ROOT / "dashboard.py"))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Services, then the dashboard and the worker; stopped in the opposite order."""
    logging.getLogger().setLevel(settings.log_level)
    api_handler.without_delay()
    services = await to_thread.run_sync(build_services, settings)
    set_current(services)
    supervisor = Supervisor(worker_environment(settings), lease_s=settings.lease_s)
    app.state.services, app.state.supervisor = services, supervisor
    try:
        with api_handler.stopping_with_signals(app):
            async with ui.lifespan()(app), create_task_group() as starting:
                # Not waited for: the worker's own start is long, and /ready tells when it is there.
                starting.start_soon(to_thread.run_sync, supervisor.start)
                yield
    finally:
        await to_thread.run_sync(supervisor.stop)
        services.close()


app = FastAPI(
    title="Model Monitoring Dashboard",
    version=VERSION,
    description="Drop a model file into a page or POST it from CI; read one honest report.",
    docs_url=None,
    redoc_url=None,
    lifespan=lifespan,
)
api_handler.install(app, settings)
app.mount("/", ui)
gc.freeze()  # Streamlit collects after every rerun; what is loaded by now stays anyway
gc.enable()
