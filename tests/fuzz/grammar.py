"""Random queries over the tables of tables.py."""
from expressions import BITS, Column, Expressions, decimal, from_digits
from tables import TABLES
from tree import SUPYO, Node, Series, View

SETS = ["UNION ALL", "UNION", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]


class Relation:
    """Something after FROM. `time` is the column with its time attribute, if any; `changes`: rows may be taken back."""

    def __init__(self, node, columns, time=None, changes=False, joined=False):
        self.node, self.columns, self.time, self.changes, self.joined = node, columns, time, changes, joined


class Query:
    """A SELECT with the columns it gives."""

    def __init__(self, node, columns, changes=False):
        self.node, self.columns, self.changes = node, columns, changes


class Versions(View):
    """A view whose versions are joined."""

    def __init__(self, name, alias, query, time):
        super().__init__(name, alias, query)
        self.time = time

    def write(self, dialect, views):
        super().write(dialect, views)
        return f"{self.text[0]} FOR SYSTEM_TIME AS OF {self.time} AS {self.alias}" if dialect == SUPYO else f"{self.text[0]} AS {self.alias}"

    def smaller(self):
        return iter(())


def select(items, source, where=None, tail=None, distinct=False):
    """`SELECT items FROM source [WHERE ..] [tail]`."""
    where = Node("optional", " WHERE $0", [where]) if where else Node("", "")
    return Node("query", f"SELECT {'DISTINCT ' if distinct else ''}$0 FROM $1$2$3", [Series(", ", items), source, where, tail or Node("", "")])


def ordered(columns, rng, leading):
    """An order by all columns (so that only equal rows are equal in it), of which some come first. NULL is the least value in Flink."""
    columns = list(columns)
    rng.shuffle(columns)
    down = [i < leading and rng.random() < 0.5 for i in range(len(columns))]
    return Node("", ", ".join(c.name + (" DESC" if d else "") for c, d in zip(columns, down)),
                duck=", ".join(c.name + (" DESC NULLS LAST" if d else " ASC NULLS FIRST") for c, d in zip(columns, down)))


class Grammar:
    def __init__(self, rng):
        self.rng, self.expressions, self.count = rng, Expressions(rng), 0

    def name(self, letter):
        self.count += 1
        return f"{letter}{self.count}"

    def item(self, node):
        """`expression AS x7` and its column."""
        name = self.name("x")
        return Node("", f"$0 AS {name}", [node]), Column(name, node.sort)

    def query(self):
        rng = self.rng
        shapes = [(self.plain, 5), (self.grouped, 5), (self.set_operation, 3), (self.top, 3), (self.over, 2), (self.over_table, 2), (self.windowed, 3), (self.window_top, 2), (self.session, 1), (self.deduplicated, 1), (self.limited, 1),
                  (self.values, 0.5), (self.outer_first_rows, 0.7), (self.group_window, 1), (self.cascade, 1), (self.lag, 1), (self.temporal, 1)]
        shape = rng.choices([s for s, _ in shapes], [w for _, w in shapes])[0]
        return shape(rng.choice([1, 2, 2, 3]))

    # -- FROM

    def table(self, name=None):
        name, alias = name or self.rng.choice(list(TABLES)), self.name("a")
        columns = [Column(f"{alias}.{c}", kind) for c, kind in TABLES[name]]
        return Relation(Node("relation", f"{name} AS {alias}"), columns, f"{alias}.ts" if name[0] == "e" else None)

    def stream(self):
        return self.table(self.rng.choice(["e0", "e1"]))

    def relation(self, depth):
        rng = self.rng
        if depth <= 0 or rng.random() < 0.35:
            return self.table()
        if rng.random() < 0.5:
            return self.join(depth - 1)
        return self.nested(self.subquery(depth - 1))

    def nested(self, query):
        alias = self.name("a")
        node = View(self.name("v"), alias, query.node) if self.rng.random() < 0.3 else Node("relation", f"($0) AS {alias}", [query.node])
        return Relation(node, [Column(f"{alias}.{c.name}", c.kind) for c in query.columns], None, query.changes)

    def subquery(self, depth):
        shape = self.rng.choice([self.plain, self.plain, self.grouped, self.set_operation, self.top, self.windowed, self.over, self.first_rows])
        return shape(depth)

    def first_rows(self, depth):
        """ORDER BY .. LIMIT .. OFFSET, also of what changes."""
        rng = self.rng
        inner = self.plain(depth - 1)
        tail = Node("query", f"$0 ORDER BY $1 LIMIT {rng.randint(1, 6)}{rng.choice(['', ' OFFSET 2'])}", [inner.node, ordered(inner.columns, rng, 2)])
        return Query(tail, inner.columns, True)

    def join(self, depth):
        rng = self.rng
        if rng.random() < 0.25:
            return self.interval_join()
        if rng.random() < 0.2:
            return self.window_join()
        if rng.random() < 0.15:
            return self.join_until_window_end()
        if rng.random() < 0.15:
            return self.lateral(depth)
        left, right = self.relation(depth), self.relation(depth)
        kinds = {c.kind for c in left.columns} & {c.kind for c in right.columns}
        pairs = [(a, b) for a in left.columns for b in right.columns if a.kind == b.kind and a.kind not in ("DOUBLE", "FLOAT")]
        if not kinds or not pairs:
            return left
        if rng.random() < 0.1:
            return Relation(Node("relation", "$0 CROSS JOIN $1", [left.node, right.node]), left.columns + right.columns, None, True, True) if not right.joined else left
        few = [(a, b) for a, b in pairs if a.name.endswith(".k") and b.name.endswith(".k")]
        a, b = rng.choice(few if few and rng.random() < 0.6 else pairs)
        kind = rng.choice(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        on = Node("BOOLEAN", f"{a.name} = {b.name}")
        if rng.random() < 0.35:
            on = Node("BOOLEAN", "$0 AND $1", [on, self.expressions.condition(left.columns + right.columns, 1)])
        return Relation(Node("relation", f"$0 {kind} {'($1)' if right.joined else '$1'} ON $2", [left.node, right.node, on]), left.columns + right.columns, None, True, True)

    def lateral(self, depth):
        """A subquery in FROM that names columns of what stands before it: its rows, the first of them, or aggregates."""
        rng = self.rng
        left, inner = self.relation(depth), self.relation(depth)
        pairs = [(a, b) for a in left.columns for b in inner.columns if a.kind == b.kind and a.kind not in ("DOUBLE", "FLOAT")]
        if not pairs:
            return left
        a, b = rng.choice(pairs)
        where = f"{a.name} {rng.choice(['=', '=', '=', '<', '>=']) if a.kind in BITS else '='} {b.name}"
        also = Node("optional", " AND $0", [self.condition(inner.columns, 1)]) if rng.random() < 0.3 else Node("", "")
        tail, form = Node("", ""), rng.choice(["rows", "first", "aggregate"])
        if form == "aggregate":
            made = [self.item(self.aggregate(inner.columns)) for _ in range(rng.randint(1, 2))]
        else:
            items, columns = self.items(inner.columns, 1, 3, 1)
            made = list(zip(items, columns))
        if form == "first":
            tail = Node("", f" ORDER BY $0 LIMIT {rng.randint(1, 4)}{rng.choice(['', ' OFFSET 1'])}", [ordered([m[1] for m in made], rng, 2)])
        alias = self.name("a")
        kind, on = rng.choice([("CROSS", ""), ("LEFT", " ON TRUE")])
        node = Node("relation", f"$0 {kind} JOIN LATERAL (SELECT $1 FROM $2 WHERE {where}$3$4) AS {alias}{on}", [left.node, Series(", ", [m[0] for m in made]), inner.node, also, tail])
        return Relation(node, left.columns + [Column(f"{alias}.{m[1].name}", m[1].kind) for m in made], None, True, True)

    def interval_join(self):
        rng = self.rng
        left, right = self.stream(), self.stream()
        before, after = rng.randint(0, 12), rng.randint(0, 12)
        kind = rng.choice(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        key = rng.choice(["k", "s", "k"])
        a, b = left.time.split(".")[0], right.time.split(".")[0]
        on = f"{a}.{key} = {b}.{key} AND {a}.ts BETWEEN {b}.ts - INTERVAL '{before}' SECOND AND {b}.ts + INTERVAL '{after}' SECOND"
        return Relation(Node("relation", f"$0 {kind} $1 ON {on}", [left.node, right.node]), left.columns + right.columns, joined=True)

    def join_until_window_end(self):
        """A stream with the results of windows whose end bounds its time: its rows are kept as long as they may meet one."""
        rng = self.rng
        left, right, alias = self.stream(), self.window(), self.name("a")
        a, w, key = left.time.split(".")[0], right.columns[0].name.split(".")[0], rng.choice(["k", "s", "k"])
        node = Node("relation", f"(SELECT {w}.{key} AS u, MAX({w}.n) AS v, {w}.window_end AS e FROM $0 GROUP BY {w}.{key}, {w}.window_start, {w}.window_end) AS {alias}", [right.node])
        columns = [Column(f"{alias}.u", dict(TABLES["e0"])[key]), Column(f"{alias}.v", "BIGINT"), Column(f"{alias}.e", "TIMESTAMP(3)")]
        bounds = [f"{a}.ts {rng.choice(['>', '>='])} {alias}.e - INTERVAL '{rng.randint(0, 20)}' SECOND", f"{a}.ts <= {alias}.e"][:rng.randint(1, 2)]
        swap = rng.random() < 0.5
        kids, both = ([node, left.node], columns + left.columns) if swap else ([left.node, node], left.columns + columns)
        return Relation(Node("relation", f"$0 JOIN $1 ON {' AND '.join([f'{a}.{key} = {alias}.u', *bounds])}", kids), both, joined=True)

    # -- windows

    def window(self, name=None, spec=None):
        """A table with the windows of each row: TUMBLE, HOP or CUMULATE."""
        rng = self.rng
        name, alias = name or rng.choice(["e0", "e1"]), self.name("a")
        kind, slide, size = spec or self.window_spec()
        size_ms, slide_ms = size * 1000, slide * 1000
        seconds = lambda n: f"INTERVAL '{n}' SECOND"
        supyo = f"TABLE({kind}(TABLE {name}, DESCRIPTOR(ts), {'' if kind == 'TUMBLE' else seconds(slide) + ', '}{seconds(size)}))"
        if kind == "CUMULATE":
            # Windows of a period end at every step; a row is in those that end after it.
            duck = (f"(SELECT *, make_timestamp_ms(w) AS window_start, make_timestamp_ms(w + e) AS window_end FROM (SELECT *, floor_div(ms(ts), {size_ms}) * {size_ms} AS w, "
                    f"unnest(range({slide_ms}, {size_ms + 1}, {slide_ms})) AS e FROM {name}) WHERE ms(ts) < w + e)")
        else:
            duck = (f"(SELECT *, make_timestamp_ms(w) AS window_start, make_timestamp_ms(w + {size_ms}) AS window_end FROM (SELECT *, floor_div(ms(ts), {slide_ms}) * {slide_ms} - "
                    f"unnest(range(0, {size_ms}, {slide_ms})) AS w FROM {name}) WHERE ms(ts) < w + {size_ms})")
        columns = [Column(f"{alias}.{c}", k) for c, k in TABLES[name]] + [Column(f"{alias}.window_start", "TIMESTAMP(3)"), Column(f"{alias}.window_end", "TIMESTAMP(3)")]
        return Relation(Node("", f"{supyo} AS {alias}", duck=f"{duck} AS {alias}"), columns)

    def window_spec(self):
        rng = self.rng
        kind = rng.choice(["TUMBLE", "HOP", "CUMULATE"])
        slide = rng.choice([1, 2, 5, 10])
        return kind, slide, slide * (1 if kind == "TUMBLE" else rng.randint(1, 4))

    def window_join(self):
        rng = self.rng
        spec = self.window_spec()
        left, right = self.window(spec=spec), self.window(spec=spec)
        a, b = left.columns[0].name.split(".")[0], right.columns[0].name.split(".")[0]
        key = rng.choice(["k", "s", "b"])
        kind = rng.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        on = f"{a}.{key} = {b}.{key} AND {a}.window_start = {b}.window_start AND {a}.window_end = {b}.window_end"
        return Relation(Node("", f"$0 {kind} $1 ON {on}", [left.node, right.node]), left.columns + right.columns, joined=True)

    def windowed(self, depth):
        """Aggregates of each window."""
        source = self.window()
        where = self.condition(source.columns[:-2], 1) if self.rng.random() < 0.3 else None
        keys = [c.node() for c in source.columns[-2:]]
        if self.rng.random() < 0.7:
            keys.append(self.rng.choice(source.columns[:-3]).node())
        return self._grouped(source, keys, where, False)

    def window_top(self, depth):
        """The first rows of each window."""
        rng = self.rng
        source = self.window()
        partition = [source.columns[-2].name, source.columns[-1].name] + ([rng.choice(source.columns[1:-3]).name] if rng.random() < 0.5 else [])
        return self._top(source, partition, False)

    def session(self, depth):
        rng = self.rng
        name, alias, gap, keyed = rng.choice(["e0", "e1"]), self.name("a"), rng.choice([1, 3, 10]), rng.random() < 0.8
        part = "PARTITION BY k" if keyed else ""
        supyo = f"TABLE(SESSION(TABLE {name} {part}, DESCRIPTOR(ts), INTERVAL '{gap}' SECOND))"
        duck = (f"(SELECT * EXCLUDE (new, number), MIN(ts) OVER w AS window_start, MAX(ts) OVER w + INTERVAL '{gap}' SECOND AS window_end FROM (SELECT *, SUM(new) OVER ({part} ORDER BY ts) AS number FROM "
                f"(SELECT *, CASE WHEN ts - LAG(ts) OVER ({part} ORDER BY ts) <= INTERVAL '{gap}' SECOND THEN 0 ELSE 1 END AS new FROM {name})) WINDOW w AS (PARTITION BY {'k, ' if keyed else ''}number))")
        columns = [Column(f"{alias}.{c}", k) for c, k in TABLES[name]] + [Column(f"{alias}.window_start", "TIMESTAMP(3)"), Column(f"{alias}.window_end", "TIMESTAMP(3)")]
        source = Relation(Node("", f"{supyo} AS {alias}", duck=f"{duck} AS {alias}"), columns)
        return self._grouped(source, [c.node() for c in columns[-2:]] + ([Column(f"{alias}.k", "INT").node()] if keyed else []), None, False)

    # -- SELECT

    def condition(self, columns, depth):
        return self.expressions.condition(columns, depth)

    def where(self, source, depth):
        """A condition, sometimes with a subquery in it."""
        rng = self.rng
        if rng.random() < 0.4:
            return None
        plain = self.condition(source.columns, 2)
        if rng.random() < 0.25 and depth > 0:
            return Node("BOOLEAN", "$0 AND $1", [self.subquery_condition(source, depth - 1), plain]) if rng.random() < 0.4 else self.subquery_condition(source, depth - 1)
        return plain

    def subquery_condition(self, source, depth):
        """A condition with a subquery, alone or inside something."""
        rng = self.rng
        one = self.one_subquery(source, depth)
        if rng.random() < 0.5:
            return one
        text = rng.choice(["($0 OR $1)", "(NOT ($0 AND $1))", "($0 IS NOT TRUE)", "($0 IS NULL OR $1)", "CASE WHEN $1 THEN $0 ELSE TRUE END"])
        return Node("BOOLEAN", text, [one, self.condition(source.columns, 1)])

    def one_subquery(self, source, depth):
        rng = self.rng
        negated = rng.choice(["", "NOT "])
        inner = self.relation(depth - 1)
        shared = [(a, b) for a in source.columns for b in inner.columns if a.kind == b.kind and a.kind not in ("DOUBLE", "FLOAT")]
        if rng.random() < 0.25 or not shared:
            kind = rng.choice(["INT", "BIGINT"])
            aggregate = Node(kind, "SELECT MAX($0) FROM $1", duck="SELECT MAX($0) FROM $1 HAVING COUNT(*) > 0", kids=[self.expressions.make(kind, inner.columns, 1), inner.node])
            return Node("BOOLEAN", f"($0 {rng.choice(['=', '<', '>='])} ($1))", [self.expressions.make(kind, source.columns, 1), aggregate])
        a, b = rng.choice(shared)
        if rng.random() < 0.35:
            return self.correlated_value(source, inner, a, b)
        if rng.random() < 0.15 and a.kind != "BOOLEAN":
            op, of = rng.choice(["<", "<=", ">", ">="]), rng.choice(["ALL", "ANY"])
            return Node("BOOLEAN", f"({a.name} {op} {of} (SELECT {b.name} FROM $0))", [inner.node])
        where = Node("optional", " WHERE $0", [self.condition(inner.columns, 1)]) if rng.random() < 0.5 else Node("", "")
        if rng.random() < 0.5:
            return Node("BOOLEAN", f"({a.name} {negated}IN (SELECT {b.name} FROM $0$1))", [inner.node, where])
        also = Node("optional", " AND $0", [self.condition(inner.columns, 1)]) if rng.random() < 0.5 else Node("", "")
        return Node("BOOLEAN", f"({negated}EXISTS (SELECT * FROM $0 WHERE {a.name} = {b.name}$1))", [inner.node, also])

    def correlated_value(self, source, inner, a, b):
        """A comparison with an aggregate of the rows that meet one."""
        rng = self.rng
        by = rng.choice(["=", "=", "=", "<", ">="]) if a.kind in BITS else "="
        kind = rng.choice(["INT", "BIGINT"])
        pick = rng.choice(["MAX($1)", "MIN($1)", "COUNT(*)", "COUNT($1)"])
        kind = "BIGINT" if pick[0] == "C" else kind
        return Node("BOOLEAN", f"($0 {rng.choice(['=', '<', '>=', '<>'])} (SELECT {pick} FROM $2 WHERE {a.name} {by} {b.name}))",
                    [self.expressions.make(kind, source.columns, 1), self.expressions.make(kind, inner.columns, 1), inner.node])

    def items(self, columns, least=1, most=4, depth=2):
        picked = [self.expressions.any(columns, depth) for _ in range(self.rng.randint(least, most))]
        made = [self.item(node) for node in picked]
        return [m[0] for m in made], [m[1] for m in made]

    def plain(self, depth):
        source = self.relation(depth)
        items, columns = self.items(source.columns)
        if self.rng.random() < 0.08:
            aggregate = self.rng.choice([Node("", "COUNT(*)"), Node("", "MAX(n)"), Node("", "SUM(n)", duck="w64(SUM(n))")])
            node, column = self.item(Node("BIGINT", "(SELECT $0 FROM $1)", [aggregate, self.table().node], duck="(SELECT $0 FROM $1 HAVING COUNT(*) > 0)"))
            items, columns = items + [node], columns + [column]
        if self.rng.random() < 0.1 and depth > 0:
            node, column = self.item(self.subquery_condition(source, depth - 1))
            items, columns = items + [node], columns + [column]
        distinct = self.rng.random() < 0.15
        return Query(select(items, source.node, self.where(source, depth), distinct=distinct), columns, source.changes or distinct)

    def aggregate(self, columns, over=""):
        rng = self.rng
        numbers = [c.kind for c in columns if c.kind in BITS or (decimal(c.kind) and decimal(c.kind)[0] <= 12) or c.kind == "DOUBLE"] or ["INT"]
        pick = rng.choice(["COUNT(*)", "COUNT", "SUM", "MIN", "MAX", "AVG"])
        distinct = "DISTINCT " if rng.random() < 0.2 and pick in ("COUNT", "SUM", "AVG") and not over else ""
        keep = Node("optional", " FILTER (WHERE $0)", [self.condition(columns, 1)]) if rng.random() < 0.25 and not over else Node("", "")
        tail = f"$1{over}"
        if pick == "COUNT(*)":
            return Node("BIGINT", f"COUNT(*)$0{over}", [keep])
        if pick in ("COUNT", "MIN", "MAX"):
            kind = self.expressions.any_kind(columns)
            if pick != "COUNT" and kind == "BOOLEAN":
                kind = "INT"
            return Node("BIGINT" if pick == "COUNT" else kind, f"{pick}({distinct}$0){tail}", [self.expressions.make(kind, columns, 1), keep])
        kind = rng.choice(numbers)
        inner = self.expressions.make(kind, columns, 1)
        total, number = f"SUM({distinct}$0){tail}", f"COUNT({distinct}$0){tail}"
        if decimal(kind):
            scale = max(6, decimal(kind)[1])
            if pick == "SUM":
                return Node(f"DECIMAL(38,{decimal(kind)[1]})", total, [inner, keep])
            return Node(f"DECIMAL(38,{scale})", f"AVG({distinct}$0){tail}", [inner, keep], duck=from_digits(f"quotient(digits({total}), {number}, {scale - decimal(kind)[1]})", scale))
        if kind == "DOUBLE":
            return Node(kind, f"{pick}({distinct}$0){tail}", [inner, keep])
        bits = BITS[kind]
        if pick == "SUM":
            return Node(kind, total, [inner, keep], duck=f"w{bits}({total})")
        # Flink adds up in 64 bits.
        return Node(kind, f"AVG({distinct}$0){tail}", [inner, keep], duck=f"w{bits}(w64({total}) // NULLIF({number}, 0))")

    def grouped(self, depth):
        source = self.relation(depth)
        kinds = [c for c in source.columns if c.kind != "FLOAT"]
        keys = [c.node() for c in self.rng.sample(kinds, min(len(kinds), self.rng.choice([0, 1, 1, 2])))]
        if self.rng.random() < 0.2:
            keys.append(self.expressions.make(self.rng.choice(["INT", "STRING", "BOOLEAN"]), source.columns, 1))
        return self._grouped(source, keys, self.where(source, depth), True)

    def _grouped(self, source, keys, where, changes):
        rng = self.rng
        fixed = [] if changes else keys[:2]   # window_start, window_end
        sets = len(keys) > len(fixed) and rng.random() < 0.2
        marks = [Node("BIGINT", f"{rng.choice(['GROUPING', 'GROUPING_ID'])}($0)", [Series(", ", rng.sample(keys, rng.randint(1, len(keys))))])] if sets and rng.random() < 0.6 else []
        made = [self.item(k) for k in keys + marks if rng.random() < 0.85] + [self.item(self.aggregate(source.columns)) for _ in range(rng.randint(1, 3))]
        tail = Node("", "", duck=" HAVING COUNT(*) > 0")   # a stream without rows has no aggregate
        if keys:
            having = Node("optional", " HAVING $0 > $1", [self._having(source.columns), Node("", str(rng.randint(0, 3)))]) if rng.random() < 0.25 else Node("", "")
            tail = Node("", " GROUP BY $0$1", [Series(", ", keys), having])
        if sets:   # of no rows there is no group, not of the set () either
            tail = Node("", " GROUP BY $0$1", [self.grouping_sets(fixed, keys[len(fixed):]), having], duck=" GROUP BY $0 HAVING COUNT(*) > 0" if having.text[0] == "" else " GROUP BY $0$1 AND COUNT(*) > 0")
        return Query(select([m[0] for m in made], source.node, where, tail), [m[1] for m in made], changes)

    def grouping_sets(self, fixed, keys):
        rng = self.rng
        kind = rng.choice(["ROLLUP", "CUBE", "GROUPING SETS"])
        if kind != "GROUPING SETS":
            free = keys if rng.random() < 0.7 else keys[-1:]
            return Node("", ", ".join(f"${i}" for i in range(len(fixed) + len(keys) - len(free))) + (", " if len(fixed) + len(keys) > len(free) else "") + f"{kind} (" + ", ".join(
                f"${len(fixed) + len(keys) - len(free) + i}" for i in range(len(free))) + ")", fixed + keys)
        subsets = list(dict.fromkeys(tuple(sorted(rng.sample(range(len(keys)), rng.randint(0, len(keys))))) for _ in range(rng.randint(1, 3))))
        subsets = list(dict.fromkeys([*subsets, tuple(range(len(keys)))]))   # every key is in one of them
        listed = ", ".join("(" + ", ".join(f"${len(fixed) + i}" for i in s) + ")" for s in subsets)
        return Node("", "".join(f"${i}, " for i in range(len(fixed))) + f"GROUPING SETS ({listed})", fixed + keys)

    def _having(self, columns):
        while True:
            node = self.aggregate(columns)
            if node.sort in BITS:
                return node

    def set_operation(self, depth):
        rng = self.rng
        kinds = [rng.choice(["INT", "STRING", "BIGINT", "BOOLEAN", "DECIMAL(8,2)", "TIMESTAMP(3)", "DATE"]) for _ in range(rng.randint(1, 2))]
        sides, names = [], None
        for _ in range(rng.choice([2, 2, 3])):
            source = self.relation(depth - 1)
            made = [self.item(self.expressions.make(kind, source.columns, 1 if rng.random() < 0.4 else 0)) for kind in kinds]
            names = names or [m[1] for m in made]
            sides.append(select([m[0] for m in made], source.node, self.condition(source.columns, 1) if rng.random() < 0.4 else None))
        node = sides[0]
        for side in sides[1:]:
            node = Node("query", f"($0) {rng.choice(SETS)} ($1)", [node, side])
        return Query(node, names, True)

    def top(self, depth):
        source = self.nested(self.plain(depth - 1)) if self.rng.random() < 0.6 else self.table()
        keys = [c.name for c in self.rng.sample(source.columns, min(len(source.columns), self.rng.choice([0, 1, 1, 2])))]
        return self._top(source, keys, True)

    def _top(self, source, partition, changes):
        rng = self.rng
        made = [self.item(c.node()) for c in source.columns]
        rank, alias = self.name("x"), self.name("a")
        over = Node("", f"ROW_NUMBER() OVER ({'PARTITION BY ' + ', '.join(partition) + ' ' if partition else ''}ORDER BY $0) AS {rank}", [ordered(source.columns, rng, 2)])
        inner = select([*[m[0] for m in made], over], source.node, self.condition(source.columns, 1) if rng.random() < 0.2 else None)
        kept = rng.sample([m[1] for m in made], min(len(made), rng.randint(1, 4)))
        bound = rng.choice([f"{rank} = 1", f"{rank} <= {rng.randint(1, 4)}", f"{rank} < {rng.randint(2, 4)}", f"{rank} BETWEEN 2 AND 3"])
        if changes and rng.random() < 0.2:
            return Query(select([*[m[0] for m in made], over], source.node, tail=Node("", f" QUALIFY {bound}")), [m[1] for m in made], changes)
        columns = [Column(f"{alias}.{c.name}", c.kind) for c in kept]
        if rng.random() < 0.4:
            columns.append(Column(f"{alias}.{rank}", "BIGINT"))
        out = [self.item(c.node()) for c in columns]
        return Query(select([m[0] for m in out], Node("relation", f"($0) AS {alias}", [inner]), Node("", bound)), [m[1] for m in out], changes)

    def outer_first_rows(self, depth):
        """The first rows, counted and named by what is around them."""
        source = self.nested(self.first_rows(depth))
        made = [self.item(c.node()) for c in source.columns]
        return Query(select([m[0] for m in made], source.node), [m[1] for m in made], True)

    def deduplicated(self, depth):
        """The first or last row of each key by time."""
        rng = self.rng
        source = self.stream()
        made = [self.item(c.node()) for c in source.columns]
        rank, alias = self.name("x"), self.name("a")
        over = Node("", f"ROW_NUMBER() OVER (PARTITION BY {source.columns[rng.choice([1, 4, 5])].name} ORDER BY {source.time}{rng.choice(['', ' DESC'])}) AS {rank}")
        out = [self.item(Node(m[1].kind, f"{alias}.{m[1].name}")) for m in made]
        return Query(select([m[0] for m in out], Node("relation", f"($0) AS {alias}", [select([*[m[0] for m in made], over], source.node)]), Node("", f"{rank} = 1")), [m[1] for m in out], True)

    def over(self, depth):
        rng = self.rng
        source = self.stream()
        partition = f"PARTITION BY {', '.join(c.name for c in rng.sample(source.columns[1:6], rng.randint(1, 2)))} " if rng.random() < 0.85 else ""
        frame = rng.choice(["", " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", f" ROWS BETWEEN {rng.randint(0, 3)} PRECEDING AND CURRENT ROW",
                            f" RANGE BETWEEN INTERVAL '{rng.randint(0, 9)}' SECOND PRECEDING AND CURRENT ROW"])
        window = f" OVER ({partition}ORDER BY {source.time}{frame})"
        items, columns = self.items(source.columns, 1, 2, 1)
        for _ in range(rng.randint(1, 3)):
            node, column = self.item(self.aggregate(source.columns, window))
            items.append(node)
            columns.append(column)
        return Query(select(items, source.node, self.condition(source.columns, 1) if rng.random() < 0.3 else None), columns)

    def over_table(self, depth):
        """OVER in any order, of any rows: results that are updated."""
        rng = self.rng
        source = self.nested(self.subquery(depth - 1)) if rng.random() < 0.6 else self.table()
        columns = [c for c in source.columns if c.kind != "FLOAT"]
        if not columns:
            return self.over(depth)
        partition = f"PARTITION BY {', '.join(c.name for c in rng.sample(columns, min(len(columns), rng.choice([1, 1, 2]))))} " if rng.random() < 0.7 else ""

        def by(some):
            return "ORDER BY " + ", ".join(f"{c.name}{rng.choice(['', '', ' DESC'])} NULLS FIRST" for c in some)

        # Among rows that are equal in the order the one dialect's first is not the other's: what asks for it gets an order of all columns.
        one, whole = by(rng.sample(columns, 1)), by(rng.sample(source.columns, len(source.columns)))
        items, out = self.items(source.columns, 1, 2, 1)
        for _ in range(rng.randint(1, 2)):
            pick = rng.choice(["total", "running", "running", "bounded", "ROW_NUMBER()", "RANK()", "DENSE_RANK()", "PERCENT_RANK()", "CUME_DIST()", "NTILE", "LAG", "LEAD"])
            if pick in ("total", "running", "bounded"):
                frame = {"total": "", "running": rng.choice([one, f"{one} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", f"{whole} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"]),
                         "bounded": f"{whole} ROWS BETWEEN {rng.randint(0, 3)} PRECEDING AND CURRENT ROW"}[pick]
                node = self.aggregate(source.columns, f" OVER ({partition}{frame})")
            elif pick in ("LAG", "LEAD"):
                column = rng.choice(source.columns)
                node = Node(column.kind, f"{pick}({column.name}, {rng.randint(0, 3)}) OVER ({partition}{whole})")
            elif pick == "NTILE":
                node = Node("BIGINT", f"NTILE({rng.randint(1, 4)}) OVER ({partition}{whole})")
            else:
                node = Node("DOUBLE" if pick[0] in "PC" else "BIGINT", f"{pick} OVER ({partition}{whole if pick == 'ROW_NUMBER()' else one})")
            made, column = self.item(node)
            items.append(made)
            out.append(column)
        return Query(select(items, source.node, self.condition(source.columns, 1) if rng.random() < 0.3 else None), out, True)

    def lag(self, depth):
        rng = self.rng
        source = self.stream()
        back, column = rng.randint(0, 3), rng.choice(source.columns)
        made = [self.item(c.node()) for c in rng.sample(source.columns, 2)]
        value = Node(column.kind, f"LAG({column.name}, {back}) OVER (PARTITION BY {source.columns[rng.choice([1, 4, 5])].name} ORDER BY {source.time})")
        node, out = self.item(value)
        return Query(select([*[m[0] for m in made], node], source.node, self.condition(source.columns, 1) if rng.random() < 0.3 else None), [*[m[1] for m in made], out])

    def group_window(self, depth):
        """GROUP BY TUMBLE(ts, ..), the older form."""
        rng = self.rng
        kind, slide, size = self.window_spec()
        kind = "HOP" if kind == "CUMULATE" else kind
        name = rng.choice(["e0", "e1"])
        source = self.window(name, (kind, slide, size))
        alias = source.columns[0].name.split(".")[0]
        call = f"{kind}({alias}.ts, {'' if kind == 'TUMBLE' else f'INTERVAL {chr(39)}{slide}{chr(39)} SECOND, '}INTERVAL '{size}' SECOND)"
        start = Node("TIMESTAMP(3)", call.replace("(", "_START(", 1), duck=source.columns[-2].name)
        end = Node("TIMESTAMP(3)", call.replace("(", "_END(", 1), duck=source.columns[-1].name)
        keys = [rng.choice(source.columns[:-3])] if rng.random() < 0.7 else []
        made = [self.item(n) for n in (start, end, *[k.node() for k in keys], *[self.aggregate(source.columns[:-2]) for _ in range(rng.randint(1, 2))])]
        grouping = [Node("", call, duck=f"{source.columns[-2].name}, {source.columns[-1].name}"), *[k.node() for k in keys]]
        table = Node("", f"{name} AS {alias}", duck=source.node.text[1])
        return Query(select([m[0] for m in made], table, None, Node("", " GROUP BY $0", [Series(", ", grouping)])), [m[1] for m in made])

    def cascade(self, depth):
        """Windows over the result of windows: of the same window, or wider ones over its time."""
        rng = self.rng
        kind, slide, size = self.window_spec()
        source = self.window(spec=(kind, slide, size))
        start, end = source.columns[-2:]
        key = rng.choice(source.columns[1:-3])
        inner_count, inner_key, first, last, alias = (self.name("y") for _ in range(5))
        items = f"{start.name} AS {first}, {end.name} AS {last}, {key.name} AS {inner_key}, COUNT(*) AS {inner_count}"
        if rng.random() < 0.5 or kind != "TUMBLE":
            inner = Node("", f"SELECT {items} FROM $0 GROUP BY {start.name}, {end.name}, {key.name}", [source.node])
            columns = [Column(f"{alias}.{first}", "TIMESTAMP(3)"), Column(f"{alias}.{last}", "TIMESTAMP(3)"), Column(f"{alias}.{inner_key}", key.kind), Column(f"{alias}.{inner_count}", "BIGINT")]
            outer = Relation(Node("relation", f"($0) AS {alias}", [inner]), columns)
            keys = [columns[0].node(), columns[1].node()] + ([columns[3].node()] if rng.random() < 0.4 else [])
            made = [self.item(k) for k in keys] + [self.item(self.aggregate(columns[2:])) for _ in range(rng.randint(1, 2))]
            return Query(select([m[0] for m in made], outer.node, None, Node("", " GROUP BY $0", [Series(", ", keys)])), [m[1] for m in made])
        times, wide = self.name("y"), size * rng.randint(1, 3)
        narrow = f"SELECT {items}, {alias}0.window_time AS {times} FROM $0 GROUP BY {start.name}, {end.name}, {alias}0.window_time, {key.name}".replace(f"{alias}0", start.name.split(".")[0])
        duck = narrow.replace(start.name.split(".")[0] + ".window_time", f"{end.name} - INTERVAL 1 MILLISECOND", 1).replace(f", {start.name.split('.')[0]}.window_time", "")
        bucket = f"floor_div(ms({times}), {wide * 1000}) * {wide * 1000}"
        relation = Node("relation", f"TABLE(TUMBLE(($0), DESCRIPTOR({times}), INTERVAL '{wide}' SECOND)) AS {alias}", [Node("", narrow, [source.node], duck=duck)],
                        duck=f"(SELECT *, make_timestamp_ms({bucket}) AS window_start, make_timestamp_ms({bucket} + {wide * 1000}) AS window_end FROM ($0)) AS {alias}")
        columns = [Column(f"{alias}.{inner_key}", key.kind), Column(f"{alias}.{inner_count}", "BIGINT")]
        keys = [Node("TIMESTAMP(3)", f"{alias}.window_start"), Node("TIMESTAMP(3)", f"{alias}.window_end")]
        made = [self.item(k) for k in keys] + [self.item(self.aggregate(columns)) for _ in range(rng.randint(1, 2))]
        return Query(select([m[0] for m in made], relation, None, Node("", " GROUP BY $0", [Series(", ", keys)])), [m[1] for m in made])

    def temporal(self, depth):
        """Each row with the version that its key had at its time: versions are the last rows of the other stream."""
        rng = self.rng
        left, key = self.table(rng.choice(["e0", "e1"])), rng.choice(["k", "s"])
        name, view, alias = rng.choice(["e0", "e1"]), self.name("v"), self.name("a")
        rank = self.name("y")
        columns = ", ".join(c for c, _ in TABLES[name])
        versions = Node("", f"SELECT {columns} FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY ts DESC) AS {rank} FROM {name}) WHERE {rank} = 1", duck=f"SELECT {columns} FROM {name}")
        kind, on = rng.choice(["", "LEFT "]), f"{left.time.split('.')[0]}.{key} = {alias}.{key}"
        right = Versions(view, alias, versions, left.time)
        source = Node("", f"$0 {kind}JOIN $1 ON {on}", [left.node, right], duck=f"$0 ASOF {kind}JOIN $1 ON {on} AND {left.time} >= {alias}.ts")
        items, out = self.items(left.columns + [Column(f"{alias}.{c}", k) for c, k in TABLES[name]])
        return Query(select(items, source), out)

    def limited(self, depth):
        """ORDER BY .. LIMIT .. OFFSET of what does not change."""
        rng = self.rng
        source = self.table()
        items, columns = self.items(source.columns)
        tail = Node("", f" ORDER BY $0 LIMIT {rng.randint(0, 6)}{rng.choice(['', ' OFFSET 2'])}", [ordered(columns, rng, 2)])
        return Query(select(items, source.node, self.where(source, 0), tail), columns)

    def values(self, depth):
        rng = self.rng
        kinds = [rng.choice(["INT", "STRING", "BOOLEAN", "DECIMAL(5,2)"]) for _ in range(rng.randint(1, 3))]
        rows = [Node("", "($0)", [Series(", ", [self.expressions.literal(k) for k in kinds])]) for _ in range(rng.randint(1, 5))]
        alias, names = self.name("a"), [self.name("y") for _ in kinds]
        source = Relation(Node("relation", f"(VALUES $0) AS {alias} ({', '.join(names)})", [Series(", ", rows)]), [Column(f"{alias}.{n}", k) for n, k in zip(names, kinds)])
        items, columns = self.items(source.columns)
        return Query(select(items, source.node, self.where(source, 0)), columns)
