import time

import pytest

from ingestion.errors import DocumentError, FileTooLargeError, TooComplexError, UnreadableFileError
from ingestion.parse import parse
from tests.unit.ingestion.documents import PATIENCE, assert_sound


def lines(source: str, name: str = "fees.csv") -> list[str]:
    document = parse(name, source.encode())
    assert_sound(document, source)
    return document.text.splitlines()


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("Item,Window\nPhone,14 days\nLaptop,30 days\n", id="commas"),
        pytest.param("Item;Window\r\nPhone;14 days\r\nLaptop;30 days\r\n", id="semicolons"),
        pytest.param("Item\tWindow\nPhone\t14 days\nLaptop\t30 days", id="tabs"),
        pytest.param('"Item", "Window"\n"Phone", "14\ndays"\n\n,\nLaptop,30 days', id="quotes"),
        pytest.param("\ufeffItem,Window\nPhone,14 days\nLaptop,30 days", id="byte order mark"),
    ],
)
def test_each_row_names_its_columns(source: str) -> None:
    """A row that is found alone says what its cells are."""
    assert lines(source) == [
        "Item | Window",
        "Item: Phone | Window: 14 days",
        "Item: Laptop | Window: 30 days",
    ]


def test_semicolons_win_over_decimal_commas() -> None:
    """What parts the cells is told by all rows."""
    source = "Item;Fee;Tax\nPhone;4,50;0,90\nLaptop;10,00;2,00\n"
    assert lines(source)[1] == "Item: Phone | Fee: 4,50 | Tax: 0,90"


def test_rows_of_one_cell_above_the_names_are_text() -> None:
    """Sheets have a line or two above their table."""
    source = "Fees of 2026,\nItem,Fee\nPhone,4\nLaptop,\n"
    assert lines(source) == [
        "Fees of 2026", "", "Item | Fee", "Item: Phone | Fee: 4", "Item: Laptop",
    ]  # fmt: skip


def test_without_names_cells_stand_alone() -> None:
    """A first row with a number in it names nothing."""
    assert lines("Phone,14\nLaptop,30\n") == ["Phone | 14", "Laptop | 30"]
    assert lines("Phone\nLaptop\n") == ["Phone", "Laptop"]


def test_the_title_is_that_of_the_file() -> None:
    """A table has no title of its own."""
    assert parse("shipping-fees.CSV", b"a,b\nc,d").title == "Shipping fees"


WORDS = "Returns, of anything, are free.\nWrite to us, please.\nWe answer, always, fast, here.\n"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        pytest.param(WORDS, UnreadableFileError, "is no table", id="prose"),
        pytest.param("a,b\n" + ",".join("x" * 201) + "\n" + ",".join("x" * 201) + "\n",
                     TooComplexError, "has 201 columns", id="wide"),
        pytest.param(",".join(["n" * 60] * 200) + "\n" + (",".join("x" * 200) + "\n") * 2_000,
                     FileTooLargeError, "holds more text", id="names that grow"),
        pytest.param("a,b\n" * 50_001, TooComplexError, "has 50,001 rows", id="long"),
        pytest.param('a,"' + "b" * 200_000, UnreadableFileError, "is no table", id="open quote"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_a_sentence(
    source: str, error: type[DocumentError], message: str
) -> None:
    """Text, and tables larger than people read, are told apart."""
    started = time.process_time()
    with pytest.raises(error) as refusal:
        parse("fees.csv", source.encode())
    assert str(refusal.value).startswith("fees.csv ")
    assert message in str(refusal.value)
    assert time.process_time() - started < PATIENCE


def test_a_page_in_a_table_file_is_a_page() -> None:
    """The content decides, and the report says so."""
    document = parse("fees.csv", b"<!doctype html><p>Words")
    assert document.warnings == ("fees.csv holds HTML, whatever its ending says.",)
