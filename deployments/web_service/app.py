"""The FastAPI application: all routes, and the parts that start and stop with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from campaign.schema_file import home_schema
from campaign.settings import Settings
from deployments.web_service import prometheus
from deployments.web_service.body import GONE
from deployments.web_service.browsers import told_to_browsers
from deployments.web_service.connection_limits import REFUSED
from deployments.web_service.guarded import wrong_parameter
from deployments.web_service.refusals import Forbidden, TooMany
from deployments.web_service.request import CampaignRequest
from deployments.web_service.routes import about, explain, predict, predict_batch
from deployments.web_service.routes.predict import ROUTE, PredictOne
from deployments.web_service.service import Service
from deployments.web_service.vital_signs import show_vital_signs

DESCRIPTION = "Predicts what becomes of a campaign, and says how well it knows."
MOUNTED = ("/static", about.SWAGGER, "/openapi.json")  # what FastAPI answers without a route of its own


class RevalidatedFiles(StaticFiles):
    """Files that a browser revalidates each time, cheaply by ETag: after a deploy it must not mix old and new ones."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


class Application(FastAPI):
    """FastAPI, past whose middlewares and router the one route that has to be fast is answered."""

    predict_one: PredictOne

    def openapi(self) -> dict[str, Any]:
        """The document, with the campaigns that the model in service takes; those of the home's schema before it."""
        service: Service = self.state.service
        live = service.rotation.live
        request = live.request if live else CampaignRequest(home_schema())
        document = get_openapi(title=self.title, version=self.version, description=self.description, routes=self.routes)
        document["components"]["schemas"]["Campaign"] = request.json_schema()
        return document

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif scope["path"] == ROUTE and scope["method"] == "POST":
            await self.predict_one(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        """Any other route, and what reaches none; each answer is counted and timed here."""
        began, status = perf_counter(), 0

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        sending = told_to_browsers(watched)
        service: Service = self.state.service
        try:
            service.browsers.check(scope)
            with service.addresses.one_more(service.addresses.of(scope)):
                await super().__call__(scope, receive, sending)
        except (Forbidden, TooMany) as refusal:
            await refusal.send(sending)
        finally:
            prometheus.count(route_of(scope), status or scope.get(REFUSED, GONE), perf_counter() - began)


def route_of(scope: Any) -> str:
    """The route that a request has reached, as it is counted: the names are few, whatever is asked for."""
    if route := scope.get("route"):
        return str(route.path)
    return next((path for path in MOUNTED if scope["path"].startswith(path)), prometheus.NO_ROUTE)


def create_app() -> Application:
    """The application as the environment configures it. Raises `BadInput` for a setting that cannot be."""
    service = Service.of(Settings())

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.start)
        showing = asyncio.create_task(show_vital_signs(service))
        yield
        showing.cancel()
        await run_in_threadpool(service.stop)

    app = Application(
        title="campaign-success",
        version="1",
        description=DESCRIPTION,
        docs_url=None,  # FastAPI's own has the browser fetch its files from elsewhere
        redoc_url=None,
        lifespan=running,
        exception_handlers={RequestValidationError: wrong_parameter},
    )
    app.state.service = service
    app.predict_one = PredictOne(service)
    for router in (predict.router, predict_batch.router, explain.router, about.guarded, about.public, about.counted):
        app.include_router(router)
    app.mount("/static", RevalidatedFiles(directory=about.STATIC, check_dir=False))
    app.mount(about.SWAGGER, StaticFiles(packages=[("fastapi_swagger", "resources")]))
    return app
