"""What must be true of a swarm's books, whatever was killed: read the aggregator's database and the
contributors' receipts as an outsider would, and tell every discrepancy.

    python3 tests/chaos/audit.py FOLDER      a folder left by packaging/demo --keep FOLDER
"""
import base64
import glob
import json
import os
import sqlite3
import sys

ACCEPTED = 1


def payload(jws):
    part = jws.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def database(folder):
    found = [f for f in glob.glob(os.path.join(folder, "aggregator", "**", "*"), recursive=True)
             if os.path.isfile(f) and open(f, "rb").read(16) == b"SQLite format 3\0"]
    if len(found) != 1:
        raise SystemExit(f"expected one database below {folder}/aggregator, found {found}")
    return sqlite3.connect(f"file:{found[0]}?mode=ro", uri=True)


def audit(folder):
    """(complaints, counts)"""
    db = database(folder)
    wrong = []
    receipts = {seq: (who, rnd, verdict, jws) for seq, who, rnd, verdict, jws in db.execute(
        "SELECT seq, contributor, round, verdict, jws FROM receipts ORDER BY seq")}
    rounds = {r[0]: r[1] for r in db.execute("SELECT round, n_merged FROM rounds ORDER BY round")}
    ledger = db.execute(
        "SELECT r.round, p.receipt_seq, a.name, p.amount FROM postings p"
        " JOIN rounds r ON r.entry=p.entry JOIN accounts a ON a.id=p.to_account").fetchall()
    on_record = [tuple(r) for r in db.execute(
        "SELECT first_seq, last_seq FROM rounds ORDER BY round")]

    if list(receipts) != list(range(1, len(receipts) + 1)):
        wrong.append(f"receipt numbers have gaps: {list(receipts)}")
    if list(rounds) != list(range(len(rounds))):
        wrong.append(f"merged rounds have gaps: {list(rounds)}")
    check_ledger(wrong, receipts, rounds, ledger)
    check_record(wrong, db, on_record, ledger)
    for seq, (who, rnd, verdict, jws) in receipts.items():
        said = payload(jws)
        if (said["seq"], said["round"], said["contributor"]) != (seq, rnd, who.hex()):
            wrong.append(f"receipt {seq} says something else than its row")

    # What a contributor holds is the first version; reward and entry come when it is settled.
    known = {unsettled(jws) for _, _, _, jws in receipts.values()}
    held = 0
    for path in sorted(glob.glob(os.path.join(folder, "contributor-*", "runs", "*", "receipts.jws"))):
        who = path.split(os.sep)[-4]
        for line in filter(None, open(path, encoding="utf-8").read().split("\n")):
            held += 1
            if unsettled(line) not in known:
                wrong.append(f"{who} holds a receipt that the aggregator does not know: {line[:40]}...")
    return wrong, {"receipts": len(receipts), "held": held, "rounds": len(rounds),
                   "ledger": len(ledger)}


def unsettled(jws):
    said = {k: v for k, v in payload(jws).items() if k not in ("reward", "entry")}
    return json.dumps(said, sort_keys=True)


def check_record(wrong, db, on_record, ledger):
    """Every receipt is on one sheet, and every receipt on a sheet has one line of the ledger."""
    want = 1
    for first, last in on_record:
        if first != want:
            wrong.append(f"a sheet begins with receipt {first} where {want} comes next")
        want = last + 1
    if sorted(seq for _, seq, _, _ in ledger) != list(range(1, want)):
        wrong.append(f"receipts 1 to {want - 1} are on record, but the ledger has other lines")
    if db.execute("SELECT coalesce(sum(amount), 0) FROM ledger").fetchone()[0]:
        wrong.append("the ledger's lines do not sum to zero")


def check_ledger(wrong, receipts, rounds, ledger):
    paid = {}
    for rnd, seq, account, amount in ledger:
        if seq not in receipts:
            wrong.append(f"a reward of round {rnd} points to no receipt ({seq})")
            continue
        key, of, verdict, _ = receipts[seq]
        if account != f"contributor/{key.hex()}":
            wrong.append(f"the reward of receipt {seq} goes to {account}")
        if (of, verdict) == (rnd, ACCEPTED):
            paid.setdefault(rnd, []).append((seq, amount))
        elif amount:
            wrong.append(f"a reward of round {rnd} points to receipt {seq}, which is not its own")
    for rnd, n_merged in rounds.items():
        accepted = {s for s, (_, of, verdict, _) in receipts.items()
                    if of == rnd and verdict == ACCEPTED}
        lines = paid.get(rnd, [])
        if {s for s, _ in lines} != accepted or len(lines) != len(accepted):
            wrong.append(f"round {rnd}: accepted receipts {sorted(accepted)}, but ledger lines for "
                         f"{sorted(s for s, _ in lines)}")
        if n_merged != len(accepted):
            wrong.append(f"round {rnd}: {len(accepted)} accepted, but {n_merged} merged")
    totals = {rnd: sum(amount for _, amount in lines) for rnd, lines in paid.items()}
    if len(set(totals.values())) > 1:
        wrong.append(f"rounds pay out different sums: {totals}")


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    wrong, counts = audit(sys.argv[1])
    for line in wrong:
        print(line)
    print(json.dumps(counts))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
