"""The constructs of the dialect, and how a statement that has one is known: which of them the statements that both engines answer cover. METADATA columns are compared by
tests/broker/flink.py, on Kafka."""
import re

# A pattern is looked for in the statement itself, or, behind "setup:", in what was set up for it.
CONSTRUCTS = {
    # statements
    "CREATE TABLE": r"setup:\bCREATE TABLE\b", "computed column": r"setup:[(,]\s*\w+ AS (?!SELECT)\w", "WATERMARK": r"setup:\bWATERMARK FOR\b",
    "PRIMARY KEY": r"setup:\bPRIMARY KEY\b", "PARTITIONED BY": r"setup:\bPARTITIONED BY\b", "LIKE a table": r"setup:\) LIKE \w", "CREATE TABLE AS": r"setup:\bCREATE TABLE\b[^;]*\bAS SELECT\b",
    "CREATE VIEW": r"setup:\bCREATE (TEMPORARY )?VIEW\b", "CREATE DATABASE": r"setup:\bCREATE DATABASE\b", "ALTER TABLE": r"setup:\bALTER TABLE\b", "USE": r"setup:\bUSE\b", "SET": r"setup:^\s*SET\b",
    "INSERT INTO": r"setup:\bINSERT INTO\b", "INSERT with a column list": r"setup:\bINSERT INTO \w+ \(", "INSERT .. PARTITION": r"setup:\bINSERT INTO \w+ PARTITION\b", "INSERT .. VALUES": r"setup:\bINSERT INTO \w+ VALUES\b",
    "STATEMENT SET": r"setup:\bSTATEMENT SET\b", "SHOW": r"^\s*SHOW\b", "DESCRIBE": r"^\s*DESC", "OPTIONS hint": r"/\*\+ OPTIONS", "STATE_TTL hint": r"/\*\+ STATE_TTL",
    # queries
    "WITH": r"\bWITH \w+ (\([^)]*\) )?AS \(", "DISTINCT": r"\bSELECT DISTINCT\b", "WHERE": r"\bWHERE\b", "GROUP BY": r"\bGROUP BY\b", "GROUPING SETS": r"\bGROUPING SETS\b", "ROLLUP": r"\bROLLUP\b", "CUBE": r"\bCUBE\b",
    "HAVING": r"\bHAVING\b", "FILTER": r"\bFILTER\b", "aggregate DISTINCT": r"\w\(DISTINCT\b", "UNION": r"\bUNION (?!ALL)", "UNION ALL": r"\bUNION ALL\b", "INTERSECT": r"\bINTERSECT\b", "EXCEPT": r"\bEXCEPT\b",
    "IN (SELECT)": r"\bIN \(SELECT\b", "NOT IN (SELECT)": r"\bNOT IN \(SELECT\b", "EXISTS": r"\bEXISTS\b", "scalar subquery": r"(?:[=<>,]|SELECT|THEN) \(SELECT\b", "VALUES": r"\bVALUES\b", "UNNEST": r"\bUNNEST\b", "LATERAL": r"\bLATERAL\b",
    "ORDER BY": r"ORDER BY [^()]*$", "LIMIT": r"\bLIMIT\b", "nested ROW": r"\b\w+\.\w+\.\w+\b", "CASE": r"\bCASE\b", "QUALIFY": r"\bQUALIFY\b",
    # windows
    "TUMBLE of a table": r"TABLE\(TUMBLE\(", "HOP of a table": r"TABLE\(HOP\(", "CUMULATE": r"\bCUMULATE\(", "SESSION of a table": r"TABLE\(SESSION\(", "named arguments": r"=> *DESCRIPTOR", "window_time": r"\bwindow_time\b",
    "GROUP BY TUMBLE": r"GROUP BY[^()]*\bTUMBLE\(", "GROUP BY HOP": r"GROUP BY[^()]*\bHOP\(", "GROUP BY SESSION": r"GROUP BY[^()]*\bSESSION\(", "TUMBLE_START": r"\b(TUMBLE|HOP|SESSION)_(START|END|ROWTIME)\(",
    "window of processing time": r"DESCRIPTOR\((p|proc\w*)\)", "allowed lateness": r"setup:table\.exec\.emit",
    # OVER
    "OVER ROWS": r"\bROWS BETWEEN \d|\bROWS \d", "OVER RANGE": r"\bRANGE BETWEEN INTERVAL\b", "OVER unbounded": r"\bOVER \([^)]*ORDER BY \w*ts\b[^)BR]*\)|UNBOUNDED PRECEDING", "LAG": r"\bLAG\(", "LEAD": r"\bLEAD\(", "NTILE": r"\bNTILE\(",
    "WINDOW clause": r"\bWINDOW \w+ AS \(",
    # joins
    "JOIN": r"\bJOIN\b", "LEFT JOIN": r"\bLEFT (OUTER )?JOIN\b", "RIGHT JOIN": r"\bRIGHT (OUTER )?JOIN\b", "FULL JOIN": r"\bFULL (OUTER )?JOIN\b", "CROSS JOIN": r"\bCROSS JOIN\b", "USING": r"\bUSING \(", "NATURAL": r"\bNATURAL\b",
    "interval join": r"JOIN[^;]*(BETWEEN|>=|<=|>|<) [\w.]+ [-+] INTERVAL", "window join": r"window_start = \w+\.window_start", "temporal join": r"\bFOR SYSTEM_TIME AS OF\b",
    # ranks and patterns
    "ROW_NUMBER": r"\bROW_NUMBER\(\)", "Top-N of a window": r"PARTITION BY [^()]*window_(start|end)\b", "RANK": r"\bRANK\(\)", "DENSE_RANK": r"\bDENSE_RANK\(\)", "MATCH_RECOGNIZE": r"\bMATCH_RECOGNIZE\b",
    # types and functions
    "CAST": r"\bCAST\(", "TRY_CAST": r"\bTRY_CAST\(", "JSON functions": r"\bJSON_(VALUE|QUERY|EXISTS|OBJECT|ARRAY)\(", "EXTRACT": r"\bEXTRACT\(", "FLOOR TO": r"\b(FLOOR|CEIL)\([^)]* TO ", "TIMESTAMPADD": r"\bTIMESTAMPADD\(", "TIMESTAMPDIFF": r"\bTIMESTAMPDIFF\(",
    "DATE_FORMAT": r"\bDATE_FORMAT\(", "TO_TIMESTAMP": r"\bTO_TIMESTAMP(_LTZ)?\(", "REGEXP_": r"\bREGEXP\w*\(", "LIKE": r"\bLIKE\b", "SIMILAR TO": r"\bSIMILAR TO\b", "ARRAY": r"\bARRAY\[", "MAP": r"\bMAP\[", "ROW": r"\bROW\(",
    "FIRST_VALUE": r"\b(FIRST|LAST)_VALUE\(", "LISTAGG": r"\bLISTAGG\(", "COLLECT": r"\bCOLLECT\(", "ARRAY_AGG": r"\bARRAY_AGG\(", "STDDEV": r"\b(STDDEV|VAR)_(POP|SAMP)\(", "session's time zone": r"setup:local-time-zone",
}
PATTERNS = {name: (pattern.startswith("setup:"), re.compile(pattern.removeprefix("setup:"), re.I | re.M)) for name, pattern in CONSTRUCTS.items()}


def of(case):
    """Names of the constructs of a case."""
    return [name for name, (of_setup, pattern) in PATTERNS.items() if (any(map(pattern.search, case.setup)) if of_setup else pattern.search(case.sql))]
