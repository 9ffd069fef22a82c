"""Texts that a spreadsheet would run, made texts again."""

import pyarrow as pa
import pyarrow.compute as pc

BEGINNINGS = r"^[\s]*[=+\-@\t\r]"
NUMBER = r"^\s*[+\-]?[0-9.,\s]*[0-9][0-9.,\s%]*([eE][+\-]?[0-9]+)?\s*$"


def without_formulas(table: pa.Table) -> pa.Table:
    """A table of texts, each that a spreadsheet would take for a formula behind a ', in the header too."""
    columns = [_neutral(column) for column in table.columns]
    names = _neutral(pa.chunked_array([pa.array(table.column_names, pa.string())])).to_pylist()
    return pa.table(columns, names)


def _neutral(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    is_formula = pc.and_(
        pc.match_substring_regex(texts, BEGINNINGS), pc.invert(pc.match_substring_regex(texts, NUMBER))
    )
    if not pc.any(is_formula).as_py():
        return texts
    return pc.if_else(pc.fill_null(is_formula, False), pc.binary_join_element_wise("'", texts, ""), texts)
