"""Command line: ``python -m training``."""

import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table as RichTable

from nlp_service.errors import ServiceError
from training.config import TrainingConfig, load_config
from training.console import console, quiet_libraries
from training.data.example import Task
from training.data.sources import DataError
from training.data.table import Table
from training.own_labels import table_config
from training.places import CONFIG_FILE, Places
from training.prepare import prepare

app = typer.Typer(
    help="审查、训练、校准、评估、登记、发布与撤回 · audit, train, calibrate, evaluate, register, promote, roll back",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
CONFIGS = Path(__file__).parent / "configs"
MAIN_FIGURE = "{:.3f}"

What = Annotated[
    str, typer.Argument(help="配置文件,或 feedback、search、任务名 · a TOML file, or feedback, search, or a task")
]
Home = Annotated[Path, typer.Option(help="项目目录 · folder with models/, data/ and var/")]
Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="候选目录 · folder of a candidate")]
Source = Annotated[
    list[str] | None,
    typer.Option(help="另一数据源 · another source, as NAME=PATH: aspect_polarity=FILE.csv, intents=FILE.csv"),
]
DataFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="自己的标注 · your labels: CSV, TSV, JSONL")
]
TextColumns = Annotated[list[str] | None, typer.Option(help="文本列,可多次 · text column; repeat to join")]
LabelColumn = Annotated[str, typer.Option(help="标签列 · label column")]
Mapping = Annotated[
    list[str] | None, typer.Option("--map", help="改名 原标签=新标签,=- 为丢弃 · rename OLD=NEW; =- leaves out")
]
GroupColumn = Annotated[str, typer.Option(help="同值不跨集合 · rows of one value stay in one split")]
TimeColumn = Annotated[str, typer.Option(help="按时间划分 · split by time")]
SliceColumns = Annotated[list[str] | None, typer.Option(help="分片统计 · break results down by it")]
TARGET_HELP = "任务,或带全部任务头的编码器 · a task, or an encoder with all its heads: classify, feedback, search"
Target = Annotated[str, typer.Argument(help=TARGET_HELP)]


@app.command()
def audit(
    what: What,
    home: Home = Path(),
    report: Annotated[Path, typer.Option(help="报告 · Markdown file")] = Path("var/audit.md"),
    source: Source = None,
    data: DataFile = None,
    text_column: TextColumns = None,
    label_column: LabelColumn = "label",
    map_: Mapping = None,
    group_column: GroupColumn = "",
    time_column: TimeColumn = "",
    show_text: Annotated[bool, typer.Option(help="报告中显示文本 · show texts in the report")] = True,
) -> None:
    """审查数据:格式、重复、矛盾与可疑标注、失衡、泄漏 · check the data; exits with 1 when there is an error."""
    from nlp_service.inference.release import SEARCH, read_release
    from training.audit import audit as run_audit
    from training.audit import write_markdown
    from training.bundled import BundledVectors

    places = _places(home)
    table = _table(what, data, text_column, label_column, map_, group_column, time_column, None)
    config = _config(what, source, table)
    vectors = BundledVectors(places.bundles / read_release(places.bundles).serving[SEARCH])
    by_product = {name for name, rule in config.split.items() if rule.by == "product"}
    found = run_audit(prepare(config), vectors.of, by_product=by_product)
    report.parent.mkdir(parents=True, exist_ok=True)
    write_markdown(found, report, show_text=show_text)
    for problem in found.problems:
        console.print(f"[{'red' if problem.severity == 'error' else 'yellow'}]!][/] {escape(problem.message)}")
    console.print(f"[green]✓[/green] {report}")
    if found.has_errors:
        raise typer.Exit(1)


@app.command("prepare")
def show_splits(what: What, source: Source = None) -> None:
    """读取、去重、划分数据并打印统计 · load, deduplicate and split the data, and print what there is."""
    from training.data.split import fingerprint

    table = RichTable("split", "source", "task", "texts", "labels", "fingerprint")
    for name, examples in prepare(_config(what, source)).items():
        for origin in sorted({example.source for example in examples}):
            part = [example for example in examples if example.source == origin]
            for task in sorted({task for example in part for task in example.labels}):
                found = [example.labels[task] for example in part if task in example.labels]
                counts = ", ".join(f"{label} {found.count(label)}" for label in sorted(set(found)))
                table.add_row(name, origin, task, f"{len(found):,}", counts, fingerprint(part)[:12])
            if aspects := sum(example.aspects is not None for example in part):
                mentions = sum(len(example.aspects or {}) for example in part)
                table.add_row(name, origin, "aspects", f"{aspects:,}", f"{mentions:,} mentions", fingerprint(part)[:12])
    console.print(table)


@app.command()
def train(what: What, home: Home = Path(), source: Source = None) -> None:
    """只微调;中断后重跑即继续 · fine-tune only; resumes. `run` does this and everything after it."""
    from training.base import load_base_spec, obtain_base
    from training.train import train as fine_tune

    quiet_libraries()
    places = _places(home)
    config = _config(what, source)
    if config.method != "encoder":
        raise ServiceError("任务头无需微调,请用 run · a head alone is fitted by run")
    spec = load_base_spec(places.models)
    base = obtain_base(spec, places.var)
    work = places.var / "training" / config.encoder
    fine_tune(config, base, spec.prefix.query, prepare(config), work)
    console.print(f"[green]✓[/green] {work}")


@app.command()
def run(
    what: What,
    home: Home = Path(),
    source: Source = None,
    data: DataFile = None,
    text_column: TextColumns = None,
    label_column: LabelColumn = "label",
    map_: Mapping = None,
    group_column: GroupColumn = "",
    time_column: TimeColumn = "",
    slice_column: SliceColumns = None,
    own_encoder: Annotated[
        bool, typer.Option("--own-encoder", help="为该任务单独微调编码器 · fine-tune an encoder for this task alone")
    ] = False,
    with_project_data: Annotated[
        bool, typer.Option("--with-project-data", help="同时使用项目自带数据 · train on the project's texts as well")
    ] = False,
    set_: Annotated[list[str] | None, typer.Option("--measure", help="search: NAME=PAIRS.tsv")] = None,
    faq: Annotated[tuple[Path, Path] | None, typer.Option(help="search: ARTICLES.jsonl QUERIES.jsonl")] = None,
    register_it: Annotated[bool, typer.Option("--register/--no-register", help="登记 · register it")] = True,
) -> None:
    """一条命令得到候选:准备、训练、校准、导出、构建、评估、登记 · from data to a registered candidate with its report.

    `run feedback` fine-tunes the encoder with all heads; `run TASK` fits the head of a task alone, in seconds;
    `run TASK --own-encoder` gives the task an encoder of its own; `run search` trains the search encoder.
    """
    places = _places(home)
    if what == "search":
        folder = _run_search(places, source, set_, faq)
    else:
        table = _table(what, data, text_column, label_column, map_, group_column, time_column, slice_column)
        config = _config(what, source, table, own_encoder=own_encoder, with_project_data=with_project_data)
        folder = _run(config, places)
    if register_it:
        _register(folder, places)
    console.print(f"报告 · report: {folder / 'report' / 'report.md'}")
    console.print(f"发布 · to let it serve: python -m training promote {folder.name.rsplit('-', 2)[0]}")


@app.command("queries")
def finish_search(
    to: Annotated[Path, typer.Option(help="检索编码器的源形式 · source form of the search encoder")] = Path(
        "models/encoders/search"
    ),
    home: Home = Path(),
) -> None:
    """重训检索编码器的查询部分并校准得分 · train the encoder of queries again, and fit what their scores are worth.

    Articles keep their vectors. Afterwards: nlp-service models build
    """
    from training.search.config import load_search_config
    from training.search.queries import finish_queries

    finish_queries(load_search_config(CONFIGS / "search.toml"), _places(home), to)
    console.print(f"[green]✓[/green] {to}")


@app.command()
def calibrate(
    folder: Folder,
    home: Home = Path(),
    precision: Annotated[float, typer.Option(min=0.5, max=0.999, help="放行答案的精确率 · of what is answered")] = 0.97,
) -> None:
    """按所选精确率重新校准候选的任务头 · fit temperature and review threshold of a candidate's heads again."""
    from training.recalibrate import recalibrate

    recalibrate(folder, _places(home), precision)


@app.command()
def evaluate(folder: Folder, home: Home = Path()) -> None:
    """重新评估候选并与现役模型比较 · write the report again, and compare with what serves now."""
    from training.judge import evaluate as judge
    from training.search.config import SearchConfig
    from training.search.run import evaluate_search

    places = _places(home)
    if folder.name.startswith("search-"):
        evaluate_search(folder, SearchConfig.model_validate_json((folder / CONFIG_FILE).read_text("utf-8")), places)
    else:
        judge(folder, places)


@app.command()
def export(
    folder: Folder, to: Annotated[Path, typer.Option(help="目标目录 · folder like models/")] = Path("models")
) -> None:
    """把候选的源形式写入 models/,供 git 保存与镜像构建 · write a candidate's source form to models/, for git."""
    copied = []
    for source in sorted((folder / "models").glob("*/*")):
        target = to / source.parent.name / source.name
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        copied.append((partial, target))
    for partial, target in copied:
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        console.print(f"[green]✓[/green] {target}")


@app.command()
def register(folder: Folder, home: Home = Path()) -> None:
    """在 MLflow 登记候选 · register a candidate with MLflow, alias `candidate`."""
    _register(folder, _places(home))


@app.command()
def promote(
    target: Target,
    home: Home = Path(),
    version: Annotated[str | None, typer.Option(help="版本;默认 candidate · version; default: the candidate")] = None,
    accept_new_labels: Annotated[
        bool, typer.Option("--accept-new-labels", help="接受另一套标签 · the label set may differ")
    ] = False,
    force: Annotated[
        str | None, typer.Option(help="越过门槛的理由,会被记录 · why to promote against the gate; recorded")
    ] = None,
) -> None:
    """通过门槛后发布,服务一秒内换用 · let a candidate serve if it passes the gate; the service follows in a second."""
    from training.registry.errors import GateRefused
    from training.registry.gate import GateConfig
    from training.registry.promotion import promote as promote_target

    places = _places(home)
    gate = load_config(CONFIGS / "feedback.toml").gate if target == "feedback" else GateConfig()
    try:
        promotion = promote_target(
            target,
            places.var,
            version=version,
            gate=gate,
            accept_new_labels=accept_new_labels,
            force_reason=force,
        )
    except GateRefused as refused:
        console.print(f"[red]✗[/red] {escape(str(refused))}")
        raise typer.Exit(1) from refused
    console.print(f"[green]✓[/green] {escape(str(promotion))}")


@app.command()
def rollback(target: Target, home: Home = Path()) -> None:
    """撤回最近一次发布 · undo the last promotion of a target."""
    from training.registry.promotion import rollback as roll_back

    change = roll_back(target, _places(home).var)
    for part, folder in change.after.items():
        console.print(f"[green]✓[/green] {part}: {change.before.get(part, '–')} → {folder}")


@app.command()
def status(home: Home = Path()) -> None:
    """现役与候选版本 · champion and candidate of each target."""
    from training.registry.status import status as registry_status

    table = RichTable("目标 · target", "champion", "candidate")
    for one in registry_status(_places(home).var):
        table.add_row(one.target, str(one.champion or "–"), str(one.candidate or "–"))
    console.print(table)


def _places(home: Path) -> Places:
    return Places(home / "models", home / "data", home / "var")


def _config(
    what: str,
    source: list[str] | None,
    table: Table | None = None,
    *,
    own_encoder: bool = False,
    with_project_data: bool = False,
) -> TrainingConfig:
    sources: dict[str, Any] = dict(_pair(entry, "--source") for entry in source or [])
    if what.endswith(".toml") or (CONFIGS / f"{what}.toml").is_file():
        file = Path(what) if what.endswith(".toml") else CONFIGS / f"{what}.toml"
        if not file.is_file():
            raise ServiceError(f"{file}: 没有这个配置 · no such configuration")
        return load_config(file, sources)
    project = load_config(CONFIGS / "feedback.toml", sources)
    return table_config(project, _task(what), table, own_encoder=own_encoder, with_project_data=with_project_data)


def _table(
    what: str,
    data: Path | None,
    text_columns: list[str] | None,
    label_column: str,
    renames: list[str] | None,
    group_column: str,
    time_column: str,
    slice_columns: list[str] | None,
) -> Table | None:
    if data is None:
        return None
    return Table(
        path=data,
        task=_task(what),
        text_columns=tuple(text_columns or ["text"]),
        label_column=label_column,
        map=dict(_pair(entry, "--map") for entry in renames or []),
        group_column=group_column,
        time_column=time_column,
        slice_columns=tuple(slice_columns or []),
    )


def _task(name: str) -> Task:
    from typing import get_args

    if name not in get_args(Task):
        raise ServiceError(
            f"{name}: 应为 TOML 文件、feedback、search 或任务名 · should be a TOML file, feedback, search, or one of "
            f"{', '.join(get_args(Task))}"
        )
    return name  # type: ignore[return-value]


def _pair(entry: str, option: str) -> tuple[str, str]:
    old, sign, new = entry.rpartition("=")
    if not sign or not old:
        raise ServiceError(f"{option} {entry!r}: 应为 名称=值 · should be NAME=VALUE")
    return old.strip(), new.strip()


def _run(config: TrainingConfig, places: Places) -> Path:
    from training.judge import evaluate as judge
    from training.run import run as make_candidate

    folder = make_candidate(config, places)
    judge(folder, places)
    return folder


def _run_search(
    places: Places, source: list[str] | None, sets: list[str] | None, faq: tuple[Path, Path] | None
) -> Path:
    from training.search.config import load_search_config
    from training.search.run import evaluate_search, run_search

    changes: dict[str, Any] = dict(_pair(entry, "--source") for entry in source or [])
    if sets:
        changes["pairs"] = dict(_pair(entry, "--measure") for entry in sets)
    if faq:
        changes["faq"] = faq
    config = load_search_config(CONFIGS / "search.toml", changes)
    folder = run_search(config, places)
    evaluate_search(folder, config, places)
    return folder


def _register(folder: Path, places: Places) -> None:
    from training.registry.register import register as register_candidate

    console.print(f"[green]✓[/green] 已登记 · registered: {register_candidate(folder, places.var)}")


def main() -> None:
    """Run; an expected error is one line and exit code 1."""
    try:
        app()
    except (ServiceError, DataError) as error:
        console.print(f"[red]✗[/red] {escape(str(error))}")
        sys.exit(1)
    except ValidationError as error:
        first = error.errors()[0]
        console.print(f"[red]✗[/red] {escape('.'.join(map(str, first['loc'])))}: {escape(first['msg'])}")
        sys.exit(1)


if __name__ == "__main__":
    main()
