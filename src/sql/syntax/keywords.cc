#include "sql/syntax/keywords.h"

#include <algorithm>
#include <array>

#include "sql/syntax/token.h"

namespace supyo::syntax {
namespace {

// Both lists are sorted, for binary search.
constexpr auto kReserved = std::to_array<std::string_view>({
    "ALL", "ALTER", "AND", "ANY", "ARRAY", "AS", "ASYMMETRIC", "BETWEEN", "BY", "CASE", "CAST", "CREATE", "CROSS", "CUBE",
    "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "DELETE", "DESCRIBE", "DISTINCT", "DROP", "ELSE", "END", "ESCAPE",
    "EXCEPT", "EXISTS", "EXPLAIN", "EXTRACT", "FALSE", "FETCH", "FOR", "FROM", "FULL", "GROUP", "HAVING", "IN", "INNER",
    "INSERT", "INTERSECT", "INTERVAL", "INTO", "IS", "JOIN", "LATERAL", "LEFT", "LIKE", "LIMIT", "LOCALTIME",
    "LOCALTIMESTAMP", "MATCH_RECOGNIZE", "NATURAL", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "OVER", "PARTITION",
    "PIVOT", "QUALIFY", "RIGHT", "ROLLUP", "ROW", "SELECT", "SET", "SIMILAR", "SOME", "SYMMETRIC", "TABLE", "TABLESAMPLE",
    "THEN", "TO", "TRUE", "TRY_CAST", "UNION", "UNKNOWN", "UNNEST", "UNPIVOT", "UPDATE", "USING", "VALUES", "WHEN",
    "WHERE", "WINDOW", "WITH"});

constexpr auto kReservedInFlink = std::to_array<std::string_view>({
    "ABS", "ALLOCATE", "ARE", "ASENSITIVE", "AT", "ATOMIC", "AUTHORIZATION", "AVG", "BEGIN", "BIGINT", "BINARY", "BIT", "BLOB",
    "BOOLEAN", "BOTH", "BYTES", "CALL", "CALLED", "CARDINALITY", "CASCADED", "CATALOG", "CATALOGS", "CEIL", "CEILING", "CHAR",
    "CHARACTER", "CHECK", "CLASSIFIER", "CLOB", "CLOSE", "COALESCE", "COLLATE", "COLLECT", "COLUMN", "COMMENT", "COMMIT",
    "CONDITION", "CONNECT", "CONSTRAINT", "CONTAINS", "CONVERT", "CORR", "COUNT", "CUME_DIST", "CURRENT", "CURSOR", "CYCLE",
    "DATABASES", "DATE", "DAY", "DEALLOCATE", "DEC", "DECIMAL", "DECLARE", "DEFAULT", "DEFINE", "DENSE_RANK", "DEREF",
    "DETERMINISTIC", "DISALLOW", "DISCONNECT", "DOUBLE", "DYNAMIC", "EACH", "ELEMENT", "EMPTY", "EQUALS", "EXEC", "EXECUTE",
    "EXP", "EXTEND", "EXTENDED", "EXTERNAL", "FILTER", "FIRST_VALUE", "FLOAT", "FLOOR", "FOREIGN", "FREE", "FUNCTION",
    "FUNCTIONS", "FUSION", "GET", "GLOBAL", "GRANT", "GROUPING", "GROUPS", "HOLD", "HOUR", "IDENTITY", "IF", "ILIKE", "IMPORT",
    "INDICATOR", "INITIAL", "INOUT", "INSENSITIVE", "INT", "INTEGER", "JSON_ARRAY", "JSON_EXISTS", "JSON_OBJECT", "JSON_QUERY",
    "JSON_VALUE", "LAG", "LANGUAGE", "LARGE", "LAST_VALUE", "LEAD", "LEADING", "LN", "LOCAL", "LOWER", "MAP", "MATCH",
    "MATCHES", "MAX", "MEASURES", "MEMBER", "MERGE", "METHOD", "MIN", "MINUTE", "MOD", "MODIFIES", "MODULE", "MODULES", "MONTH",
    "MULTISET", "NATIONAL", "NCHAR", "NEW", "NEXT", "NO", "NONE", "NORMALIZE", "NTILE", "NULLIF", "NUMERIC",
    "OCCURRENCES_REGEX", "OF", "OLD", "OMIT", "ONE", "ONLY", "OPEN", "OUT", "OUTER", "OVERLAPS", "OVERLAY", "PARAMETER",
    "PATTERN", "PER", "PERCENT", "PERCENT_RANK", "PERIOD", "PERMUTE", "PORTION", "POSITION", "POWER", "PRECEDES", "PRECISION",
    "PREPARE", "PREV", "PRIMARY", "PROCEDURE", "RANGE", "RANK", "RAW", "READS", "REAL", "RECURSIVE", "REF", "REFERENCES",
    "RELEASE", "RENAME", "RESET", "RESULT", "RETURN", "RETURNS", "REVOKE", "ROLLBACK", "ROWS", "ROW_NUMBER", "RUNNING",
    "SAVEPOINT", "SCROLL", "SEARCH", "SECOND", "SEEK", "SENSITIVE", "SESSION_USER", "SHOW", "SKIP", "SMALLINT", "SPECIFIC",
    "SQL", "SQRT", "START", "STATEMENT", "STATIC", "STREAM", "STRING", "SUBMULTISET", "SUBSET", "SUBSTRING", "SUCCEEDS", "SUM",
    "SYSTEM", "SYSTEM_TIME", "SYSTEM_USER", "TABLES", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ", "TINYINT", "TRAILING", "TRANSLATE",
    "TREAT", "TRIGGER", "TRIM", "TRUNCATE", "UESCAPE", "UNBOUNDED", "UNIQUE", "UPPER", "UPSERT", "USE", "USER", "VALUE",
    "VARBINARY", "VARCHAR", "VARYING", "VERSIONING", "VIEWS", "WATERMARK", "WATERMARKS", "WEEK", "WITHIN", "WITHOUT", "YEAR"});

constexpr auto kSpecialCall = std::to_array<std::string_view>(
    {"ARRAY", "CASE", "CAST", "DESCRIPTOR", "EXISTS", "EXTRACT", "MAP", "ROW", "TIMESTAMPADD", "TIMESTAMPDIFF", "TRIM", "TRY_CAST", "UNNEST"});

constexpr auto kBareFunction =
    std::to_array<std::string_view>({"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"});

static_assert(std::ranges::is_sorted(kReserved));
static_assert(std::ranges::is_sorted(kReservedInFlink));
static_assert(std::ranges::is_sorted(kSpecialCall));
static_assert(std::ranges::is_sorted(kBareFunction));

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return word.size() <= 32 && std::ranges::binary_search(words, std::string_view(to_upper(word)));
}

}  // namespace

bool is_reserved(std::string_view word) { return contains(kReserved, word); }
bool is_reserved_in_flink(std::string_view word) { return is_reserved(word) || contains(kReservedInFlink, word); }
bool has_special_call(std::string_view word) { return contains(kSpecialCall, word); }
bool is_bare_function(std::string_view word) { return contains(kBareFunction, word); }

}  // namespace supyo::syntax
