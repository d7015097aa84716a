"""What the flights pipeline must give, computed by DuckDB from the same file, row by row: no code in common with Supyo.

A row's edge watermark is the largest scheduled time before it minus the bound; it is late for its hour when the hour's end - 1 ms is at or
below that watermark. Cancelled flights (no departure) never enter.
"""
import duckdb

COLUMNS = ("{'origin':'VARCHAR','dest':'VARCHAR','carrier':'VARCHAR','flight':'INTEGER','tailnum':'VARCHAR','scheduled':'TIMESTAMP',"
           "'departure':'TIMESTAMP','dep_delay':'INTEGER'}")


def connect(csv: str, bound_minutes: int = 240) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("SET threads = 1")  # rows keep their order in the file
    con.execute(f"""
        CREATE TABLE input AS
        SELECT row_number() OVER () AS n, * FROM read_csv('{csv}', header = false, columns = {COLUMNS}, parallel = false)""")
    con.execute(f"""
        CREATE TABLE judged AS
        SELECT *, date_trunc('hour', scheduled) AS window_start,
               coalesce(date_trunc('hour', scheduled) + INTERVAL 1 HOUR - INTERVAL 1 MILLISECOND
                        <= max(scheduled) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - INTERVAL {bound_minutes} MINUTE, false) AS late
        FROM input WHERE departure IS NOT NULL""")
    return con


GROUPED = """
    SELECT origin, strftime(window_start, '%Y-%m-%d %H:%M:%S'), count(*), sum(dep_delay)::BIGINT, max(dep_delay)
    FROM judged WHERE {condition} GROUP BY origin, window_start ORDER BY 1, 2"""


def main_rows(con):
    return con.sql(GROUPED.format(condition="NOT late")).fetchall()


def late_rows(con):
    return con.sql(GROUPED.format(condition="late")).fetchall()


def all_rows(con):
    return con.sql(GROUPED.format(condition="true")).fetchall()


def dead_count(con) -> int:
    return con.sql("SELECT count(*) FROM input WHERE departure IS NULL").fetchone()[0]
