"""``nlp-service models``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from nlp_service.cli.console import output
from nlp_service.errors import BundleError, ServiceError
from nlp_service.inference.bundle import EncoderBundle, HeadBundle
from nlp_service.inference.release import ENCODERS, HEADS, PARTIAL, encoder_folder, read_release
from nlp_service.inference.rollback import read_bundle_of, roll_back
from nlp_service.settings import Settings

app = typer.Typer(help="模型包 · model bundles", no_args_is_help=True, add_completion=False)
NEEDS_TRAINING = "构建需要训练依赖 · building needs the training extra, in the project: pip install -e '.[training]'"


@app.command()
def build() -> None:
    """从 models/ 构建运行时模型包 · build the runtime bundles; stops at once when they are current."""
    if find_spec("training") is None or find_spec("torch") is None:
        raise ServiceError(NEEDS_TRAINING)
    from training.base.errors import BaseError
    from training.build import build_bundles

    settings = Settings()
    try:
        build_bundles(settings.models_dir, settings.home / "data", settings.var_dir)
    except BaseError as error:
        raise ServiceError(str(error)) from error


@app.command()
def reranker(
    folder: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, help="sentence-transformers 交叉编码器 · cross-encoder with one label"
        ),
    ],
    max_tokens: Annotated[
        int, typer.Option(min=32, max=512, help="每对文本的词元上限 · tokens of a pair; fewer are faster")
    ] = 512,
) -> None:
    """把交叉编码器量化、校准并用于重排 · quantise and calibrate a cross-encoder, and let it rank hits again."""
    if find_spec("training") is None or find_spec("torch") is None:
        raise ServiceError(NEEDS_TRAINING)
    from training.build.reranker_bundle import install_reranker
    from training.search.pairs import read_search_data

    settings = Settings()
    data = read_search_data(settings.home / "data" / "search", settings.home / "data" / "knowledge")
    installed, fitted = install_reranker(folder, data, settings.bundles_dir, max_tokens)
    output.print(f"[green]✓[/green] {installed}")
    output.print(
        f"  recall@1 {fitted.before:.3f} → {fitted.after:.3f}, {fitted.queries:,} 个校准问题 · validation queries; "
        f"{fitted.milliseconds:.0f} ms"
    )
    if fitted.reranking.scored == 0:
        output.print("  [yellow]![/yellow] 它没有帮助,权重为 0 · it does not help: its weight is 0")


@app.command()
def rollback(
    target: Annotated[
        str, typer.Argument(help="任务、feedback 或 reranker · a task, feedback for all its heads, or reranker")
    ],
) -> None:
    """撤回最近一次发布,服务一秒内换回 · undo the last promotion of a target; a running service follows in a second."""
    change = roll_back(Settings().bundles_dir, target)
    for part in change.before | change.after:
        output.print(f"[green]✓[/green] {part}: {change.before.get(part, '–')} → {change.after.get(part, '–')}")


@app.command("list")
def list_bundles() -> None:
    """列出模型包并校验,★ 表示正在服务 · list the bundles, the ones that serve with ★, and verify their checksums."""
    bundles = Settings().bundles_dir
    serving = _serving(bundles)
    found = {folder: _read(bundles, folder) for folder in sorted(serving | _present(bundles))}
    table = Table("", "模型包 · bundle", "版本 · version", "说明 · what", "大小 · size", "状态 · state")
    for folder, bundle in found.items():
        version, what = ("–", escape(str(bundle))) if isinstance(bundle, BundleError) else _describe(bundle)
        state = "[red]✗[/red]" if isinstance(bundle, BundleError) else "[green]✓[/green]"
        size = sum(file.stat().st_size for file in (bundles / folder).glob("*"))
        table.add_row("★" if folder in serving else "", folder, version, what, _size(size), state)
    output.print(table)
    if any(isinstance(bundle, BundleError) for bundle in found.values()):
        raise typer.Exit(1)


def _serving(bundles: Path) -> set[str]:
    """What the release names, and the encoders of its heads; raises BundleError without a release."""
    parts = set(read_release(bundles).serving.values())
    heads = [_read(bundles, folder) for folder in parts if folder.startswith(f"{HEADS}/")]
    encoders = [head.encoder for head in heads if isinstance(head, HeadBundle)]
    return parts | {encoder_folder(encoder.name, encoder.fingerprint) for encoder in encoders}


def _present(bundles: Path) -> set[str]:
    folders = (folder for kind in (ENCODERS, HEADS) for folder in (bundles / kind).glob("*"))
    return {f"{folder.parent.name}/{folder.name}" for folder in folders if folder.suffix != PARTIAL}


def _read(bundles: Path, folder: str) -> EncoderBundle | HeadBundle | BundleError:
    try:
        return read_bundle_of(folder, bundles / folder)
    except BundleError as error:
        return error


def _describe(bundle: EncoderBundle | HeadBundle) -> tuple[str, str]:
    if isinstance(bundle, EncoderBundle):
        return bundle.version, (
            f"{bundle.base}, {bundle.precision}, {bundle.fingerprint[:12]}, cosine ≥ {bundle.comparison.cosine_min:.4f}"
        )
    figure = "micro_f1" if bundle.aspects else "macro_f1"
    figures = ", ".join(
        f"{name} F1 {values[figure]:.3f}" for name, values in bundle.metrics.items() if name.endswith("test")
    )
    return (
        bundle.version,
        f"{len(bundle.labels)} labels on {bundle.encoder.name} {bundle.encoder.fingerprint[:12]}; {figures}",
    )


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
