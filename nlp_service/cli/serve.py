"""``nlp-service serve``.

What takes long to import is imported where it is needed, so that the models begin to load before.
"""

import gc
import os
import signal
import socket
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from nlp_service.cli.console import console
from nlp_service.cli.engines import AddressOption, EngineName, EngineOption
from nlp_service.errors import ServiceError
from nlp_service.inference.allocator import use_few_arenas
from nlp_service.inference.engine import check_bundles
from nlp_service.inference.openvino_import import import_openvino
from nlp_service.loading import load_models
from nlp_service.logs import configure_logs
from nlp_service.open_files import allow_connections
from nlp_service.settings import Settings
from nlp_service.text.segmentation import terms

app = typer.Typer(add_completion=False)
WAIT_SECONDS = 120


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="监听地址 · address; default NLP_HOST or 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="端口 · port; default NLP_PORT or 8000")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="进程数 · worker processes")] = None,
    engine: EngineOption = EngineName.LOCAL,
    address: AddressOption = None,
    replicas: Annotated[int, typer.Option(min=1, max=1024, help="Ray 副本数(至少) · replicas on Ray, at least")] = 1,
    max_replicas: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Ray 副本数(至多,按负载增减) · at most, as the load demands")
    ] = None,
) -> None:
    """启动服务 · start the service."""
    options = {"host": host, "port": port, "workers": workers}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    use_few_arenas()
    settings = Settings(**given)
    configure_logs(settings)
    alone = engine is EngineName.LOCAL and settings.workers == 1
    _check_port_is_free(settings)
    if not alone:  # else they are checked when they are loaded, which is here as well
        check_bundles(settings.bundles_dir)
    _check_access(settings)
    allow_connections()
    threading.Thread(target=_announce, args=(settings,), daemon=True).start()
    if alone:
        _serve_alone(settings)
        return
    # Workers and replicas find in their environment what this process was told.
    os.environ.update({f"NLP_{name.upper()}": str(value) for name, value in given.items()})
    if engine is EngineName.RAY:
        _serve_on_ray(settings, replicas, max_replicas, address)
    else:
        _serve_by_workers(settings)


def _serve_on_ray(settings: Settings, replicas: int, max_replicas: int | None, address: str | None) -> None:
    """Serve until somebody asks it to end, then finish what was begun."""
    from nlp_service.scale.cluster import ray_cluster
    from nlp_service.scale.serving import ServeOptions, served

    options = ServeOptions(replicas, max_replicas)
    ended = threading.Event()
    with ray_cluster(address, cpus=options.most * (settings.threads or 1)) as machines:
        for asked in (signal.SIGINT, signal.SIGTERM):
            signal.signal(asked, lambda *_: ended.set())
        with served(settings, options, machines):
            ended.wait()


def _serve_alone(settings: Settings) -> None:
    """Serve in this process, whose models are loaded while the modules are imported that answer with them.

    It ends by the signal that it is given: nothing could be deleted afterwards. What stands once it is ready stays, so
    the garbage collector does not look through it, neither meanwhile nor later.
    """
    import_openvino()  # before: no two threads import packages at a time
    gc.disable()
    try:
        with ThreadPoolExecutor(2) as pool:
            models, dictionary = pool.submit(load_models, settings), pool.submit(terms, "预热 · warm up")
            from nlp_service.app import create_app
            from nlp_service.server import run

            dictionary.result()
            application = create_app(settings, loaded=models.result())
        gc.freeze()
    finally:
        gc.enable()
    run(application, settings)


def _serve_by_workers(settings: Settings) -> None:
    from nlp_service.server import run

    with tempfile.TemporaryDirectory(prefix="nlp-shared-") as folder:
        metrics = Path(folder, "metrics")
        metrics.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        os.environ["NLP_SHARED_DIR"] = folder
        run("nlp_service.app:create_app", settings)


def _check_access(settings: Settings) -> None:
    """Raise AccessNotConfigured here, once, rather than in every worker."""
    if not settings.keys_required:
        console.print("[yellow]![/yellow] 开发模式,仅限本机,无需密钥 · development: this machine alone, no key")
        return
    from nlp_service.access.gate import check_access
    from nlp_service.storage.database import Database

    with closing(Database(settings.resolved_database_url)) as database:
        database.migrate()
        check_access(settings, database)


def _check_port_is_free(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise ServiceError(
                f"无法监听 {settings.host}:{settings.port},换一个端口 · cannot listen there ({error.strerror}); "
                "try another one: NLP_PORT=8001"
            ) from error


def _announce(settings: Settings) -> None:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    url = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by way of a proxy
    console.print("… 加载模型与索引 · loading models and indexes")
    started = time.monotonic()
    while time.monotonic() - started < WAIT_SECONDS:
        try:
            with direct.open(f"{url}/readyz", timeout=2):
                break
        except OSError:
            time.sleep(0.1)
    else:
        return
    console.print(f"[green]✓[/green] 已就绪 · ready: [bold]{url}/docs[/bold]  (Ctrl+C 停止 · stops)")
    console.print("试一试 · try:")
    body = '{"tickets": [{"text": "订单只能一条一条导出,也不给个批量的", "reported_as": "fault"}]}'
    key = ' -H "Authorization: Bearer $NLP_KEY"' if settings.keys_required else ""
    console.print(f"  curl -s {url}/v1/classify{key} -H 'Content-Type: application/json' -d '{body}'", soft_wrap=True)
