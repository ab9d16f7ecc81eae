"""Which files are analysed, and where the results of each go."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nlp_service.errors import ServiceError
from nlp_service.feedback.answered import output_suffix

READ = frozenset({".csv", ".tsv", ".jsonl", ".ndjson", ".txt"})
"""Files of a folder with these endings are read; a file that is named by itself may have any."""
ANALYZED, REJECTED = ".analyzed", ".rejected"


@dataclass(frozen=True)
class CorpusFile:
    """A file of texts, and the file that its records are written to with their answers."""

    source: Path
    target: Path

    @property
    def rejected(self) -> Path:
        """Where lines go that cannot be analysed, when they are kept in a file."""
        return self.target.with_name(f"{self.target.stem}{REJECTED}.jsonl")


def corpus_files(inputs: Sequence[Path], output: Path | None = None) -> list[CorpusFile]:
    """Files and the files of folders, in order of their names.

    `output` is the result of the one file, or a folder for those of several; by default a result lies beside its
    source. Raises ServiceError when a result would have another form than CSV or JSON Lines, or replace a source.
    """
    sources = [source for path in inputs for source in _sources(path)]
    single = len(inputs) == 1 and not inputs[0].is_dir()
    if output is not None and not single and not output.is_dir():
        raise ServiceError(f"{output}: 多个文件的结果须写入已有目录 · several files need an existing folder")
    files = []
    for source in sources:
        name = f"{source.stem}{ANALYZED}{'.csv' if source.suffix.lower() == '.csv' else '.jsonl'}"
        folder = output if output is not None and output.is_dir() else None
        target = output if output is not None and folder is None else (folder or source.parent) / name
        files.append(CorpusFile(source, target))
    _check(files)
    return files


def _sources(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.is_file() and file.suffix.lower() in READ)
    found = [file for file in found if not file.stem.endswith((ANALYZED, REJECTED))]
    if not found:
        raise ServiceError(f"{path}: 目录中没有可读的文件 · no file to read in this folder: {', '.join(sorted(READ))}")
    return found


def _check(files: Sequence[CorpusFile]) -> None:
    targets: dict[Path, Path] = {}
    sources = {file.source.resolve() for file in files}
    for file in files:
        output_suffix(file.target)
        if not file.target.absolute().parent.is_dir():
            raise ServiceError(f"{file.target.parent}: 目录不存在 · the folder does not exist")
        if file.target.resolve() in sources:
            raise ServiceError(f"{file.target}: 结果不能覆盖输入 · the output would replace the input")
        if (other := targets.get(file.target.resolve())) is not None:
            raise ServiceError(f"{file.target}: {other} 与 {file.source} 的结果同名 · the results would have one name")
        targets[file.target.resolve()] = file.source
