import json
from pathlib import Path
from typing import Any

import pytest

from training.data.example import LABELS, Example
from training.data.sources import DataError
from training.data.table import MIN_TEXTS, Table, label_set, table_examples


def csv_table(folder: Path, content: str, **settings: Any) -> Table:
    file = folder / "export.csv"
    file.write_text(content, "utf-8")
    return table(file, **settings)


def jsonl_table(folder: Path, *rows: Any, **settings: Any) -> Table:
    file = folder / "export.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return table(file, **settings)


def table(file: Path, **settings: Any) -> Table:
    return Table(**{"path": file, "task": "classify", "text_columns": ("text",), "label_column": "label"} | settings)


def one(chosen: Table) -> Example:
    (example,) = table_examples(chosen)
    return example


def test_a_row_becomes_an_example_of_the_task(tmp_path: Path) -> None:
    found = one(csv_table(tmp_path, "text,label\n打开就闪退,fault\n", task="severity"))
    assert (found.text, found.labels, found.source) == ("打开就闪退", {"severity": "fault"}, "table")


def test_several_text_columns_are_joined_by_line_breaks(tmp_path: Path) -> None:
    chosen = csv_table(tmp_path, "subject,body,label\n闪退,打开就退,fault\n", text_columns=("subject", "body"))
    assert one(chosen).text == "闪退\n打开就退"


def test_an_empty_text_column_adds_no_line(tmp_path: Path) -> None:
    chosen = csv_table(tmp_path, "subject,body,label\n,打开就退,fault\n", text_columns=("subject", "body"))
    assert one(chosen).text == "打开就退"


def test_a_cell_may_hold_line_breaks_and_commas(tmp_path: Path) -> None:
    assert one(csv_table(tmp_path, 'text,label\n"第一行,\n第二行",fault\n')).text == "第一行,\n第二行"


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert one(csv_table(tmp_path, "\ufefftext,label\n打开就闪退,fault\n")).text == "打开就闪退"


def test_the_cells_of_a_tsv_end_at_tabs(tmp_path: Path) -> None:
    (tmp_path / "export.tsv").write_text("text\tlabel\n闪退,很急\tfault\n", "utf-8")
    assert one(table(tmp_path / "export.tsv")).text == "闪退,很急"


def test_a_label_is_renamed_by_the_map(tmp_path: Path) -> None:
    assert one(csv_table(tmp_path, "text,label\n打开就闪退,Bug\n", map={"Bug": "fault"})).labels == {
        "classify": "fault"
    }


def test_a_number_is_a_label_and_so_is_zero(tmp_path: Path) -> None:
    chosen = jsonl_table(tmp_path, {"text": "打开就闪退", "label": 0}, {"text": "很好用", "label": 1})
    assert [example.labels["classify"] for example in table_examples(chosen)] == ["0", "1"]


@pytest.mark.parametrize(
    "row", ["打开就闪退,", ",fault", "……!,fault", "谢谢,spam"], ids=["label", "text", "words", "-"]
)
def test_a_row_is_left_out_without(row: str, tmp_path: Path) -> None:
    chosen = csv_table(tmp_path, f"text,label\n{row}\n打开就闪退,fault\n", map={"spam": "-"})
    assert one(chosen).labels == {"classify": "fault"}


def test_a_long_text_is_cut_at_two_thousand_characters(tmp_path: Path) -> None:
    assert len(one(csv_table(tmp_path, f"text,label\n{'卡' * 3000},fault\n")).text) == 2000


def test_an_example_has_the_slices_of_its_text_and_of_the_chosen_columns(tmp_path: Path) -> None:
    chosen = csv_table(tmp_path, "text,label,region\n打开就闪退,fault,华北\n", slice_columns=("region",))
    assert one(chosen).slices == {"language": "zh", "length": "short (≤ 15)", "region": "华北"}


def test_an_example_has_the_group_and_the_time_of_its_row(tmp_path: Path) -> None:
    content = "text,label,customer,at\n打开就闪退,fault,c-7,2026-11-21\n"
    found = one(csv_table(tmp_path, content, group_column="customer", time_column="at"))
    assert (found.group, found.time) == ("c-7", "2026-11-21")


def test_an_example_has_neither_group_nor_time_where_no_column_is_chosen(tmp_path: Path) -> None:
    found = one(csv_table(tmp_path, "text,label\n打开就闪退,fault\n"))
    assert (found.group, found.time) == (None, None)


@pytest.mark.parametrize("customer", [None, "", " "])
def test_a_row_without_a_group_stands_by_itself(customer: str | None, tmp_path: Path) -> None:
    row = {"text": "打开就闪退", "label": "fault", "customer": customer}
    assert one(jsonl_table(tmp_path, row, group_column="customer")).group is None


def test_a_row_without_a_time_is_named_when_time_decides(tmp_path: Path) -> None:
    row = {"text": "打开就闪退", "label": "fault"}
    chosen = jsonl_table(tmp_path, row | {"at": "2026-11-21"}, row | {"at": None}, time_column="at")
    with pytest.raises(DataError, match=r"export\.jsonl:2: at: "):
        list(table_examples(chosen))


def test_every_row_has_an_id_of_its_own(tmp_path: Path) -> None:
    chosen = csv_table(tmp_path, 'text,label\n"两\n行",fault\n打开就闪退,fault\n打开就闪退,fault\n')
    assert len({example.id for example in table_examples(chosen)}) == 3


@pytest.mark.parametrize(
    "settings",
    [
        {"text_columns": ("text", "body")},
        {"label_column": "body"},
        {"group_column": "body"},
        {"time_column": "body"},
        {"slice_columns": ("body",)},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"export\.csv:2: .*no column 'body'.*text, label"):
        list(table_examples(csv_table(tmp_path, "text,label\n打开就闪退,fault\n", **settings)))


def test_a_row_of_json_without_the_column_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"export\.jsonl:2: .*no column 'label'"):
        list(table_examples(jsonl_table(tmp_path, {"text": "闪退", "label": "fault"}, {"text": "闪退"})))


def test_an_empty_line_of_json_is_passed_over(tmp_path: Path) -> None:
    chosen = jsonl_table(tmp_path, {"text": "打开就闪退", "label": "fault"})
    chosen.path.write_text("\n" + chosen.path.read_text("utf-8") + "\n", "utf-8")
    assert one(chosen).text == "打开就闪退"


@pytest.mark.parametrize(("line", "problem"), [("not JSON", "not JSON"), ("[1]", "should be a JSON object")])
def test_a_line_that_is_no_json_object_is_named(line: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "export.jsonl").write_text(f'{{"text": "闪退", "label": "fault"}}\n{line}\n', "utf-8")
    with pytest.raises(DataError, match=rf"export\.jsonl:2: .*{problem}"):
        list(table_examples(table(tmp_path / "export.jsonl")))


@pytest.mark.parametrize("name", ["export.csv", "export.jsonl"])
def test_a_file_that_is_not_utf_8_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes("text,label\n打开就闪退,fault\n".encode("gbk"))
    with pytest.raises(DataError, match=rf"{name}: .*not UTF-8"):
        list(table_examples(table(tmp_path / name)))


def labelled(folder: Path, **counts: int) -> Table:
    lines = [f"第{number}条 {label},{label}" for label, count in counts.items() for number in range(count)]
    return csv_table(folder, "\n".join(["text,label", *lines, ""]))


def test_labels_that_are_all_of_the_project_are_in_its_order_and_complete(tmp_path: Path) -> None:
    assert label_set(labelled(tmp_path, question=MIN_TEXTS, fault=MIN_TEXTS)) == LABELS["classify"]


def test_other_labels_stand_in_the_order_of_their_frequency(tmp_path: Path) -> None:
    counts = {"billing": MIN_TEXTS, "delivery": MIN_TEXTS + 2, "fault": MIN_TEXTS + 1}
    assert label_set(labelled(tmp_path, **counts)) == ("delivery", "fault", "billing")


def test_a_table_of_one_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"export\.csv: label: .*found 1"):
        label_set(labelled(tmp_path, fault=MIN_TEXTS))


def test_a_label_with_fewer_than_twenty_texts_is_named_with_their_number(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fewer than 20 texts: billing \(19\)"):
        label_set(labelled(tmp_path, fault=20, billing=19))
