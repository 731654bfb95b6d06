"""Which methods a path takes: routes that share one path each know but their own."""

from fastapi import Request
from fastapi.routing import APIRoute, iter_route_contexts


def allowed_methods(request: Request) -> str:
    """Return what `Allow` says of a request's path (RFC 9110, 10.2.1)."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if isinstance(route.original_route, APIRoute) and route.path_regex.match(request.scope["path"]):
            methods |= route.methods or set()
    return ", ".join(sorted(methods))
