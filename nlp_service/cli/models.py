"""``nlp-service models``."""

from importlib.util import find_spec

import typer
from rich.markup import escape
from rich.table import Table

from nlp_service.cli.console import output
from nlp_service.errors import BundleError, ServiceError
from nlp_service.inference.bundle import EncoderBundle, HeadBundle, read_bundle
from nlp_service.settings import Settings

app = typer.Typer(help="模型包 · model bundles", no_args_is_help=True)


@app.command()
def build() -> None:
    """从 models/ 构建运行时模型包 · build the runtime bundles; stops at once when they are current."""
    if find_spec("training") is None or find_spec("torch") is None:
        raise ServiceError(
            "构建需要训练依赖 · building needs the training extra, in the project: pip install -e '.[training]'"
        )
    from training.base.errors import BaseError
    from training.build import build_bundles

    settings = Settings()
    try:
        build_bundles(settings.models_dir, settings.home / "data", settings.var_dir)
    except BaseError as error:
        raise ServiceError(str(error)) from error


@app.command("list")
def list_bundles() -> None:
    """列出模型包并校验 · list the bundles and verify their checksums."""
    bundles = Settings().bundles_dir
    table = Table("模型包 · bundle", "版本 · version", "说明 · what", "大小 · size", "状态 · state")
    damaged = 0
    folders = [*sorted((bundles / "encoders").glob("*")), *sorted((bundles / "heads").glob("*"))]
    for folder in folders:
        if folder.suffix == ".partial":
            continue
        size = sum(file.stat().st_size for file in folder.iterdir())
        try:
            bundle: EncoderBundle | HeadBundle
            if folder.parent.name == "encoders":
                bundle = read_bundle(folder, EncoderBundle)
            else:
                bundle = read_bundle(folder, HeadBundle)
            version, what = _describe(bundle)
            state = "[green]✓[/green]"
        except BundleError as error:
            version, what, state = "–", escape(str(error)), "[red]✗[/red]"
            damaged += 1
        table.add_row(f"{folder.parent.name}/{folder.name}", version, what, _size(size), state)
    if not folders:
        raise BundleError(f"{bundles}: 没有模型包,请先运行 · no bundles here, run: nlp-service models build")
    output.print(table)
    if damaged:
        raise typer.Exit(1)


def _describe(bundle: EncoderBundle | HeadBundle) -> tuple[str, str]:
    if isinstance(bundle, EncoderBundle):
        return bundle.version, (
            f"{bundle.base}, {bundle.precision}, {bundle.fingerprint[:12]}, cosine ≥ {bundle.comparison.cosine_min:.4f}"
        )
    figures = ", ".join(
        f"{name} F1 {values['macro_f1']:.3f}" for name, values in bundle.metrics.items() if name.endswith("test")
    )
    return (
        bundle.version,
        f"{len(bundle.labels)} labels on {bundle.encoder.name} {bundle.encoder.fingerprint[:12]}; {figures}",
    )


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
