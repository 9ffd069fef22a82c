"""The FastAPI application: all routes, and the parts that start and stop with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from campaign.settings import Settings
from deployments.web_service import about, batch, explaining, predict
from deployments.web_service.guarded import wrong_parameter
from deployments.web_service.predict import ROUTE, PredictOne
from deployments.web_service.service import Service

DESCRIPTION = "Predicts whether a crowdfunding campaign will reach its goal, and says how well it knows."


class Fresh(StaticFiles):
    """Files that a browser asks for anew, which their ETag makes cheap: after a deploy it must not mix old and new."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        response = super().file_response(*given, **named)
        response.headers["Cache-Control"] = "no-cache"
        return response


class Application(FastAPI):
    """FastAPI, past whose middlewares and router the one route that has to be fast is answered."""

    predict_one: PredictOne

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == ROUTE and scope["method"] == "POST":
            await self.predict_one(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app() -> Application:
    """The application as the environment configures it. Raises `BadInput` for a setting that cannot be."""
    service = Service.of(Settings())

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.start)
        yield
        await run_in_threadpool(service.stop)

    app = Application(
        title="campaign-success",
        version="1",
        description=DESCRIPTION,
        lifespan=running,
        exception_handlers={RequestValidationError: wrong_parameter},
    )
    app.state.service = service
    app.predict_one = PredictOne(service)
    one = service.request.json_schema()
    for router in (predict.router(one), batch.router(one), explaining.router(one), about.guarded, about.public):
        app.include_router(router)
    app.mount("/static", Fresh(directory=about.STATIC, check_dir=False))
    return app
