#!/usr/bin/env python3
"""Every anomaly, planted in a small history, is found and nothing else; a clean history has none."""
import copy
import unittest

import anomalies


class History:
    """Operations one after another, or side by side where `call` is given."""

    def __init__(self):
        self.lines, self.now = [], 0

    def op(self, process, f, value, outcome="ok", call=None, **more):
        self.now += 10
        start = self.now if call is None else call
        asked = [m[:1] if m[0] == "poll" else [m[0], m[1], m[2][1] if isinstance(m[2], list) else m[2]] for m in value] if f in ("send", "poll", "txn") else value
        self.lines.append({"process": process, "type": "invoke", "f": f, "time": start, "value": asked})
        self.now += 10
        if outcome is not None:
            if f == "txn" and outcome != "fail":
                more.setdefault("committing", self.now - 1)
            self.lines.append({"process": process, "type": outcome, "f": f, "time": self.now, "value": value, **more})

    def send(self, process, key, offset, value, outcome="ok"):
        self.op(process, "send", [["send", key, [offset, value]]], outcome)

    def poll(self, process, *pairs, key="a", **more):
        self.op(process, "poll", [["poll", {key: [list(p) for p in pairs]}]], **more)


def clean():
    h = History()
    h.op(9, "assign", ["a", "b"])
    h.send(0, "a", 0, 1)
    h.op(1, "txn", [["send", "a", [1, 2]], ["send", "b", [0, 3]]])             # its marker takes a-2 and b-1
    h.op(1, "txn", [["send", "a", [3, 4]]], "fail")
    h.op(2, "txn", [["poll", {"a": [[0, 1], [1, 2]]}], ["send", "b", [2, 5]]], group="g")
    h.op(1, "send", [["send", "a", [None, 6]]], "info")                        # nobody knows, and nobody sees it
    h.op(1, "txn", [["send", "a", [None, 7]], ["send", "b", [None, 8]]], "info")   # unknown, and it was committed
    h.send(0, "a", 9, 9)
    h.poll(9, (0, 1), (1, 2), (7, 7), (9, 9))
    h.poll(9, (0, 3), (2, 5), (4, 8), key="b")
    h.op(2, "txn", [["poll", {"a": [[7, 7], [9, 9]]}], ["send", "b", [6, 10]]], group="g")
    h.poll(9, (6, 10), key="b")
    h.op(0, "send", [["send", "a", 11]], None)                                 # cut off by the end
    return h


class Anomalies(unittest.TestCase):
    def expect(self, history, *kinds, allowed=()):
        before = copy.deepcopy(history.lines)
        bad, fine, _ = anomalies.check(history.lines)
        self.assertEqual(before, history.lines)
        self.assertEqual(sorted(bad), sorted(kinds), dict(bad))
        self.assertEqual(sorted(fine), sorted(allowed), dict(fine))

    def test_clean(self):
        self.expect(clean())
        self.expect(History())

    def test_inconsistent_offsets(self):
        h = clean()
        h.send(3, "a", 11, 20)
        h.send(4, "a", 11, 21)
        h.poll(9, (11, 20))
        h.poll(8, (11, 21))
        self.expect(h, "inconsistent-offsets")

    def test_duplicate(self):
        h = clean()
        h.send(3, "a", 11, 20)
        h.poll(9, (11, 20))
        h.op(9, "assign", ["a"])
        h.poll(9, (12, 20))
        self.expect(h, "duplicate")

    def test_lost_write(self):
        h = clean()
        h.send(3, "a", 11, 20)
        h.send(3, "a", 12, 21)
        h.poll(8, (12, 21))
        self.expect(h, "lost-write")

    def test_lost_write_of_an_unknown_transaction_that_was_seen(self):
        h = clean()
        h.op(3, "txn", [["send", "a", [11, 20]], ["send", "b", [9, 21]]], "info")
        h.send(4, "a", 13, 22)
        h.poll(8, (13, 22))
        h.poll(8, (9, 21), key="b")
        self.expect(h, "lost-write")

    def test_unseen(self):
        h = clean()
        h.send(3, "a", 11, 20)
        self.expect(h, "unseen")

    def test_aborted_read(self):
        h = clean()
        h.op(3, "txn", [["send", "a", [11, 20]]], "fail")
        h.poll(8, (11, 20))
        self.expect(h, "G1a")

    def test_precommitted_read(self):
        h = clean()
        h.op(3, "txn", [["send", "a", [11, 20]], ["poll", {"a": [[11, 20]]}]])   # its own
        self.expect(h, "precommitted-read")
        h = clean()
        h.lines.append({"process": 3, "type": "invoke", "f": "txn", "time": h.now, "value": [["send", "a", 20]]})
        h.poll(8, (11, 20))   # before that one asked for its commit
        h.lines.append({"process": 3, "type": "ok", "f": "txn", "time": h.now + 9, "committing": h.now + 5, "value": [["send", "a", [11, 20]]]})
        self.expect(h, "precommitted-read")

    def test_intermediate_read(self):
        h = clean()
        h.op(3, "txn", [["send", "a", [None, 20]], ["send", "b", [None, 21]]], "info")
        h.poll(8, (11, 20))
        self.expect(h, "G1b")

    def test_phantom(self):
        h = clean()
        h.poll(8, (11, 99))
        self.expect(h, "phantom")

    def test_poll_skip(self):
        h = clean()
        h.send(3, "a", 11, 20)
        h.send(3, "a", 12, 21)
        h.poll(9, (12, 21))   # it stood at 9
        h.poll(8, (11, 20))
        self.expect(h, "poll-skip")

    def test_poll_after_assignment_may_be_anywhere(self):
        h = clean()
        h.op(9, "assign", ["a"])
        h.poll(9, (1, 2))
        h.poll(9, (0, 1), rebalanced=True)
        self.expect(h)

    def test_nonmonotonic_poll(self):
        h = clean()
        h.poll(9, (7, 7))
        self.expect(h, "nonmonotonic-poll")

    def test_internal_polls(self):
        h = clean()
        h.poll(8, (0, 1), (7, 7))
        self.expect(h, "int-poll-skip")
        h = clean()
        h.poll(8, (1, 2), (0, 1))
        self.expect(h, "int-nonmonotonic-poll")

    def test_nonmonotonic_sends(self):
        h = clean()
        h.send(3, "a", 12, 20)
        h.send(3, "a", 11, 21)
        h.poll(9, (11, 21), (12, 20))
        self.expect(h, "nonmonotonic-send")
        h = clean()
        h.op(3, "txn", [["send", "a", [12, 20]], ["send", "a", [11, 21]]])
        h.poll(9, (11, 21), (12, 20))
        self.expect(h, "int-nonmonotonic-send")

    def test_send_skip_and_write_cycle_are_allowed(self):
        h = clean()
        h.op(3, "txn", [["send", "a", [11, 20]], ["send", "a", [13, 22]]])
        h.op(4, "txn", [["send", "a", [12, 21]]], call=h.now - 15)
        h.poll(9, (11, 20), (12, 21), (13, 22))
        self.expect(h, allowed=("int-send-skip", "G0"))

    def test_circular_information_flow(self):
        h = clean()
        h.op(3, "txn", [["send", "a", [11, 20]], ["poll", {"b": [[8, 21]]}]], committing=h.now + 11)
        h.op(4, "txn", [["send", "b", [8, 21]], ["poll", {"a": [[11, 20]]}]], call=h.now - 15, committing=h.now - 5)
        self.expect(h, "G1c")

    def test_cycle_through_a_write_order_is_allowed(self):
        h = clean()
        h.op(3, "txn", [["send", "a", [11, 20]], ["poll", {"b": [[8, 22]]}]], committing=h.now + 11)
        h.op(4, "txn", [["send", "a", [12, 21]], ["send", "b", [8, 22]]], call=h.now - 15, committing=h.now - 5)
        h.poll(9, (11, 20), (12, 21))
        h.poll(9, (8, 22), key="b")
        self.expect(h, allowed=("G1c-ww",))

    def test_groups(self):
        h = clean()
        h.op(5, "txn", [["poll", {"a": [[9, 9]]}], ["send", "b", [8, 20]]], group="g")
        h.poll(9, (8, 20), key="b")
        self.expect(h, "consumed-twice")
        h = clean()
        h.op(5, "txn", [["poll", {"a": [[1, 2]]}], ["send", "b", [8, 20]]], group="h")
        h.poll(9, (8, 20), key="b")
        self.expect(h, "consumed-never")

    def test_history_that_proves_nothing(self):
        h = clean()
        h.send(3, "a", 11, 1)
        with self.assertRaises(ValueError):
            anomalies.check(h.lines)
        with self.assertRaises(ValueError):
            anomalies.check([{"process": 0, "type": "ok", "f": "send", "time": 1, "value": []}])


if __name__ == "__main__":
    unittest.main()
