"""Lets Ray Serve's proxies read requests as the service does without Ray: within a time, and up to a size.

Ray's own options do not: `keep_alive_timeout_s` counts between requests alone, and `request_timeout_s` begins after the
head, would count the computing as well, and ends where the caller says so (`x-request-timeout-seconds: 0`).
"""

PROXY_SETTINGS = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "nlp_service.scale.proxy.bound_requests"}
"""Environment of the processes that Ray Serve starts: each proxy calls the function before it listens."""
PROTOCOL = "nlp_service.scale.whole_requests:WholeRequests"


def bound_requests() -> None:
    """Let every uvicorn of this process, which is a proxy, speak our HTTP; Ray has no option for it."""
    from uvicorn.config import HTTP_PROTOCOLS

    HTTP_PROTOCOLS["auto"] = PROTOCOL
