"""``/docs``: Swagger UI from an installed package, so that the page works offline and asks no other host."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

router = APIRouter(prefix="/docs", include_in_schema=False)
ASSETS = files("fastapi_swagger.resources")
PAGE = """<!doctype html>
<html lang="zh">
<meta charset="utf-8">
<title>nlp-service</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="contract"></div>
<script src="docs/swagger-ui.js"></script>
<script src="docs/start.js"></script>
"""
START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#contract", deepLinking: true});\n'
KEPT = {"Cache-Control": "public, max-age=3600"}


@router.get("")
def page() -> HTMLResponse:
    """The page; its addresses are relative, so it may be served below a prefix."""
    return HTMLResponse(PAGE)


@router.get("/start.js")
def start() -> Response:
    """Opens the contract; in a file of its own, since scripts inside pages are not run."""
    return Response(START, media_type="text/javascript", headers=KEPT)


@router.get("/swagger-ui.js")
def script() -> Response:
    """Swagger UI."""
    return Response((ASSETS / "swagger-ui-bundle.js").read_bytes(), media_type="text/javascript", headers=KEPT)


@router.get("/swagger-ui.css")
def style() -> Response:
    """The look of Swagger UI."""
    return Response((ASSETS / "swagger-ui.css").read_bytes(), media_type="text/css", headers=KEPT)
