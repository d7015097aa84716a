"""Reads a path-based Iceberg table with readers that are not ours."""
import glob
import importlib.util
import os

import duckdb
from pyiceberg.table import StaticTable


def latest_metadata(table: str) -> str:
    return max(glob.glob(f"{table}/metadata/v*.metadata.json"), key=lambda p: int(os.path.basename(p)[1:].split(".")[0]))


def with_duckdb(table: str, sql: str):
    """Rows of `sql`, in which `t` is the table."""
    extensions = list(importlib.util.find_spec("duckdb_ext").submodule_search_locations)[0] + "/extensions"
    con = duckdb.connect(config={"extension_directory": extensions, "autoinstall_known_extensions": "false"})
    con.execute("LOAD avro")
    con.execute("LOAD iceberg")
    con.execute(f"CREATE VIEW t AS SELECT * FROM iceberg_scan('{latest_metadata(table)}')")
    return con.sql(sql).fetchall()


def with_pyiceberg(table: str, sql: str):
    """The same through PyIceberg's scan; DuckDB only runs the query over its Arrow table."""
    t = StaticTable.from_metadata("file://" + latest_metadata(table)).scan().to_arrow()  # noqa: F841 (read by the query)
    return duckdb.sql(sql).fetchall()
