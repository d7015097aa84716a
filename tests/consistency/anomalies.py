#!/usr/bin/env python3
"""Finds the anomalies of Jepsen's kafka workload in a recorded history. Usage: anomalies.py HISTORY.jsonl   (exit status 1 when one is found that is not allowed)

A history is JSON lines, an operation two of them: its invocation and its outcome, `time` in nanoseconds of one monotonic clock.
  {"process":0,"type":"invoke","f":"txn","time":5,"value":[["poll"],["send","a-0",17]]}
  {"process":0,"type":"ok","f":"txn","time":9,"committing":8,"value":[["poll",{"a-0":[[3,11]]}],["send","a-0",[4,17]]]}
f       send, poll, txn (micro-operations as above; an offset that is not known is null), assign, subscribe (`value`: the keys; positions begin anew)
type    ok, fail (certainly had no effect), info (nobody knows); an operation without an outcome is info
key     topic-partition; a value is sent once in the whole history
committing  when a transaction's commit was asked for; without it the transaction cannot have been committed
group   the operation committed, with its sends, the offsets of what it polled for this group
rebalanced  the positions of the consumer changed during the operation or before it

Anomalies (those of Jepsen's list, then ours), and which of them Kafka's model allows: ALLOWED.
  inconsistent-offsets   an offset of a key has two values          duplicate              a value has two offsets
  lost-write             committed, read past, and never read       unseen                 committed, and not read by the end
  G1a                    read, though its writer failed             precommitted-read      read before its transaction asked for the commit
  G1b                    part of a transaction is visible for good  phantom                read, and never written
  poll-skip, nonmonotonic-poll        between two polls of a process; with int-: within an operation
  nonmonotonic-send                   between two sends of a process; with int-: within an operation; int-send-skip: others wrote in between
  G0                     cycle of writes before writes              G1c                    cycle of reads of each other's writes; G1c-ww: and writes before writes
  consumed-twice, consumed-never      by the committed operations of a group
"""
import collections
import json
import sys

ALLOWED = {"int-send-skip", "G0", "G1c-ww"}   # transactions interleave their writes: nothing in Kafka isolates them


class Op:
    """An operation with its outcome; `sends` and `polls` are (key, offset or None, value) in their order."""

    def __init__(self, invoke, outcome):
        last = outcome or invoke
        self.process, self.f, self.call = invoke["process"], invoke["f"], invoke["time"]
        self.type = outcome["type"] if outcome else "info"
        self.ret = outcome["time"] if outcome else None
        self.committing, self.group, self.rebalanced = last.get("committing"), last.get("group"), last.get("rebalanced", False)
        self.keys = last["value"] if self.f in ("assign", "subscribe") else ()
        self.sends, self.polls = [], []
        for micro in () if self.keys else last["value"] or ():
            if micro[0] == "send":
                offset, value = micro[2] if isinstance(micro[2], list) else (None, micro[2])
                self.sends.append((micro[1], offset, value))
            elif len(micro) > 1:
                self.polls += [(key, offset, value) for key, pairs in micro[1].items() for offset, value in pairs]

    def short(self):
        return {"process": self.process, "f": self.f, "type": self.type, "call": self.call}


def operations(lines):
    open_ops, ops = {}, []
    for line in lines:
        entry = json.loads(line) if isinstance(line, (str, bytes)) else line
        process = entry["process"]
        if entry["type"] == "invoke":
            if process in open_ops:
                raise ValueError(f"process {process} begins an operation within another: {entry}")
            open_ops[process] = entry
        elif process not in open_ops or open_ops[process]["f"] != entry["f"]:
            raise ValueError(f"an outcome without its invocation: {entry}")
        else:
            ops.append(Op(open_ops.pop(process), entry))
    return ops + [Op(entry, None) for entry in open_ops.values()]


class Checker:
    def __init__(self, ops):
        self.ops = ops
        self.errors = collections.defaultdict(list)
        self.writer, self.polled, self.order, self.place = {}, collections.defaultdict(dict), {}, {}

    def found(self, kind, **what):
        self.errors[kind].append({name: v.short() if isinstance(v, Op) else v for name, v in what.items()})

    def run(self):
        self.index()
        self.offsets()
        self.reads()
        self.writes()
        self.poll_order()
        self.send_order()
        self.cycles()
        self.groups()
        return self.errors

    def index(self):
        for op in self.ops:
            for key, _, value in op.sends:
                if (key, value) in self.writer:
                    raise ValueError(f"{value} is sent to {key} twice: the history proves nothing")
                self.writer[key, value] = op
            for key, offset, value in op.polls:
                self.polled[key].setdefault(value, offset)

    def committed(self, op):
        """Whether its writes are there for good: it said so, or one of them was read."""
        return op.type == "ok" or op.type == "info" and any(value in self.polled[key] for key, _, value in op.sends)

    def offsets(self):
        at, where = collections.defaultdict(set), collections.defaultdict(set)
        for op in self.ops:
            for key, offset, value in op.sends + op.polls:
                if offset is not None:
                    at[key, offset].add(value)
                    where[key, value].add(offset)
        for (key, offset), values in at.items():
            if len(values) > 1:
                self.found("inconsistent-offsets", key=key, offset=offset, values=sorted(values))
        for (key, value), offsets in where.items():
            if len(offsets) > 1:
                self.found("duplicate", key=key, value=value, offsets=sorted(offsets))
        visible = collections.defaultdict(dict)
        for op in self.ops:
            for key, offset, value in op.sends:
                if offset is not None and op.type == "ok":
                    visible[key][value] = offset
        for key, values in self.polled.items():
            visible[key].update(values)
        for key, values in visible.items():
            self.order[key] = sorted(values, key=values.get)
            self.place[key] = {value: i for i, value in enumerate(self.order[key])}

    def reads(self):
        for op in self.ops:
            for key, _, value in op.polls:
                writer = self.writer.get((key, value))
                if writer is None:
                    self.found("phantom", key=key, value=value, reader=op)
                elif writer.type == "fail":
                    self.found("G1a", key=key, value=value, reader=op, writer=writer)
                elif writer.f == "txn" and (writer is op or writer.committing is None or op.ret is not None and op.ret < writer.committing):
                    self.found("precommitted-read", key=key, value=value, reader=op, writer=writer)

    def writes(self):
        highest = {key: max(values.values()) for key, values in self.polled.items() if values}
        for op in self.ops:
            if not op.sends or op.type == "fail" or not self.committed(op):
                continue
            if op.f != "txn" and op.type == "info":
                continue   # each record for itself: those that were not read may never have been written
            for key, offset, value in op.sends:
                if value in self.polled[key]:
                    continue
                if offset is not None and offset <= highest.get(key, -1):
                    self.found("lost-write", key=key, value=value, offset=offset, read_up_to=highest[key], writer=op)
                elif op.type == "info":
                    self.found("G1b", key=key, value=value, writer=op)
                else:
                    self.found("unseen", key=key, value=value, offset=offset, writer=op)

    def step(self, kinds, key, before, after, **who):
        """Reports when `after` is not the value behind `before` in the order of the key."""
        places = self.place[key]
        delta = places[after] - places[before]
        if delta < 1:
            self.found(kinds[0], key=key, values=[before, after], delta=delta, **who)
        elif delta > 1:
            self.found(kinds[1], key=key, values=[before, after], delta=delta, **who)

    def poll_order(self):
        last = collections.defaultdict(dict)   # process -> key -> value
        for op in self.ops:
            mine = last[op.process]
            if op.f in ("assign", "subscribe") or op.rebalanced:
                mine.clear()
            here = {}
            for key, _, value in op.polls:
                if key in here:
                    if not op.rebalanced:
                        self.step(("int-nonmonotonic-poll", "int-poll-skip"), key, here[key], value, op=op)
                elif key in mine:
                    self.step(("nonmonotonic-poll", "poll-skip"), key, mine[key], value, op=op)
                here[key] = value
            if not op.rebalanced:
                mine.update(here)   # of a failed operation too: a consumer goes on where it stands

    def send_order(self):
        last = collections.defaultdict(dict)
        for op in self.ops:
            here = {}
            for key, offset, value in op.sends:
                if offset is None:
                    continue
                scope, before = ("int-", here[key]) if key in here else ("", last[op.process].get(key))
                if before is not None and offset <= before[0]:
                    self.found(scope + "nonmonotonic-send", key=key, values=[before[1], value], offsets=[before[0], offset], op=op)
                places = self.place.get(key, {})
                if scope and value in places and before[1] in places and places[value] - places[before[1]] > 1:
                    self.found("int-send-skip", key=key, values=[before[1], value], op=op)
                here[key] = (offset, value)
            last[op.process].update(here)

    def cycles(self):
        number = {id(op): i for i, op in enumerate(self.ops)}
        ww, wr = collections.defaultdict(set), collections.defaultdict(set)
        for key, values in self.order.items():
            writers = [self.writer.get((key, value)) for value in values]
            for a, b in zip(writers, writers[1:]):
                if a is not None and b is not None and a is not b:
                    ww[number[id(a)]].add(number[id(b)])
        for op in self.ops:
            for key, _, value in op.polls:
                writer = self.writer.get((key, value))
                if writer is not None and writer is not op:
                    wr[number[id(writer)]].add(number[id(op)])
        both = collections.defaultdict(set, {n: set(to) for n, to in ww.items()})
        for n, to in wr.items():
            both[n] |= to
        reported = set()
        for kind, graph in (("G0", ww), ("G1c", wr), ("G1c-ww", both)):
            for component in components(graph):
                if kind != "G1c-ww" or not reported & component:
                    self.found(kind, size=len(component), ops=[self.ops[n].short() for n in sorted(component)[:4]])
                reported |= component

    def groups(self):
        taken = collections.defaultdict(lambda: collections.defaultdict(list))
        for op in self.ops:
            if op.group is not None and self.committed(op):
                for key, _, value in op.polls:
                    taken[op.group, key][value].append(op)
        for (group, key), values in taken.items():
            for value, by in values.items():
                if len(by) > 1:
                    self.found("consumed-twice", group=group, key=key, value=value, by=[op.short() for op in by])
            furthest = max((self.place[key][value] for value in values))
            for value in self.order[key][:furthest]:
                if value not in values:
                    self.found("consumed-never", group=group, key=key, value=value)


def components(graph):
    """Strongly connected components of more than one node (Tarjan, without recursion)."""
    index, low, on_stack, stack, counter = {}, {}, set(), [], 0
    for root in list(graph):
        if root in index:
            continue
        work = [(root, iter(graph[root]))]
        index[root] = low[root] = counter
        counter += 1
        stack.append(root)
        on_stack.add(root)
        while work:
            node, successors = work[-1]
            for to in successors:
                if to not in index:
                    index[to] = low[to] = counter
                    counter += 1
                    stack.append(to)
                    on_stack.add(to)
                    work.append((to, iter(graph.get(to, ()))))
                    break
                if to in on_stack:
                    low[node] = min(low[node], index[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = set()
                    while node not in component:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.add(member)
                    if len(component) > 1:
                        yield component


def check(lines):
    """(anomalies that are not allowed, allowed ones, counts) of a history."""
    ops = operations(lines)
    errors = Checker(ops).run()
    counts = collections.Counter(f"{op.f} {op.type}" for op in ops)
    counts["values polled"] = sum(len(op.polls) for op in ops)
    return {k: v for k, v in errors.items() if k not in ALLOWED}, {k: v for k, v in errors.items() if k in ALLOWED}, counts


def report(lines):
    """Prints what was found; the anomalies that are not allowed."""
    bad, allowed, counts = check(lines)
    print("history: " + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())))
    for kind, errors in sorted(allowed.items()):
        print(f"allowed: {kind}, {len(errors)} times")
    for kind, errors in sorted(bad.items()):
        print(f"ANOMALY: {kind}, {len(errors)} times")
        for error in errors[:3]:
            print(f"  {json.dumps(error)}")
    print("no anomaly" if not bad else f"anomalies: {', '.join(sorted(bad))}", flush=True)
    return bad


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as history:
        sys.exit(1 if report(history) else 0)
