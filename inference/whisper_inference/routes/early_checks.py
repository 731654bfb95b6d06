"""Who asks is checked before the body is read: FastAPI itself would do it the other way round."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from typing_extensions import override

from whisper_inference.dependencies import Limited, Requires, server_state


class ChecksFirst(APIRoute):
    """A route with a body: strangers are refused, and counted, whatever they send."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler with the checks before it: FastAPI's own would read the body first."""
        answer = super().get_route_handler()
        checks = [each.call for each in self.dependant.dependencies if isinstance(each.call, Requires | Limited)]

        async def check_and_answer(request: Request) -> Response:
            for check in checks:
                await check(request, server_state(request))
            return await answer(request)

        return check_and_answer
