"""Query parameters that no route asked for are refused, as unknown fields of a body are: no slip is ignored."""

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import ParamTypes


def refuse_unknown_query(request: Request) -> None:
    """Let a request pass whose query the route knows.

    Raises:
        RequestValidationError: It has another parameter.
    """
    if not request.query_params:
        return
    fields = get_flat_params(request.scope["route"].dependant)
    # The fields of a model that is the query itself do not say where they are.
    known = {field.alias for field in fields if getattr(field.field_info, "in_", ParamTypes.query) is ParamTypes.query}
    for name in request.query_params:
        if name not in known:
            unknown = {"type": "extra_forbidden", "loc": ("query", name), "msg": "This parameter is not known here."}
            raise RequestValidationError([unknown])
