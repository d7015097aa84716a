"""Queries as trees of text in two dialects: what is generated once is written for Supyo and for DuckDB, and shrunk."""
import copy
import re

SUPYO, DUCKDB = 0, 1
HOLE = re.compile(r"\$(\d)")


class Node:
    """A piece of SQL. `sort` says what may stand in its place when a failing query is shrunk: the type of an expression, "query", "relation", "optional" (may be left out)."""

    def __init__(self, sort, supyo, kids=(), duck=None):
        self.sort, self.text, self.kids = sort, (supyo, supyo if duck is None else duck), list(kids)

    def write(self, dialect, views):
        """Its text. Views that it needs are added to `views`, in an order in which they can be created."""
        if not self.kids:
            return self.text[dialect]
        written = [k.write(dialect, views) for k in self.kids]
        return HOLE.sub(lambda m: written[int(m.group(1))], self.text[dialect])

    def smaller(self):
        """Nodes that could stand here instead, the smallest first."""
        if self.sort == "optional":
            yield Node("", "")
        for kid in self.descendants():
            if kid is not self and kid.sort == self.sort:
                yield kid
        if self.kids and self.sort in LITERALS:
            yield Node(self.sort, *LITERALS[self.sort])

    def descendants(self):
        yield self
        for kid in self.kids:
            yield from kid.descendants()


class Series(Node):
    """Pieces with something between them; shrinking leaves pieces out, down to one."""

    def __init__(self, separator, kids):
        super().__init__("series", separator, kids)

    def write(self, dialect, views):
        return self.text[dialect].join(k.write(dialect, views) for k in self.kids)

    def smaller(self):
        for i in range(len(self.kids) - 1, -1, -1):
            if len(self.kids) > 1:
                yield Series(self.text[0], self.kids[:i] + self.kids[i + 1:])


class View(Node):
    """A query with a name, used as `name AS alias`: a view, or a name of the WITH clause."""

    def __init__(self, name, alias, query):
        super().__init__("view", name, [query])
        self.alias = alias

    def write(self, dialect, views):
        views.append((self.text[0], self.kids[0].write(dialect, views)))
        return f"{self.text[0]} AS {self.alias}"

    def smaller(self):
        yield Node("relation", f"($0) AS {self.alias}", self.kids)


# The least expression of a type, for shrinking.
LITERALS = {"BOOLEAN": ("TRUE",), "INT": ("1",), "BIGINT": ("CAST(1 AS BIGINT)",), "STRING": ("'a'",), "DOUBLE": ("CAST(1 AS DOUBLE)",)}


def places(node, path=()):
    """Paths of all nodes, from the root on."""
    yield path
    for i, kid in enumerate(node.kids):
        yield from places(kid, (*path, i))


def at(node, path):
    for i in path:
        node = node.kids[i]
    return node


def replaced(root, path, new):
    """A copy of the tree with another node at `path`."""
    if not path:
        return new
    out = copy.copy(root)
    out.kids = list(root.kids)
    out.kids[path[0]] = replaced(root.kids[path[0]], path[1:], new)
    return out


def shrunk(root, fails, patience=400):
    """A smaller tree that still fails, found by trying one replacement after the other."""
    tried, again = 0, True
    while again and tried < patience:
        again = False
        for path in list(places(root)):
            for new in at(root, path).smaller():
                candidate = replaced(root, path, new)
                tried += 1
                if fails(candidate):
                    root, again = candidate, True
                    break
                if tried >= patience:
                    return root
            if again:
                break
    return root
