"""The results of interop/matrix as JSON, as tables for people, and as the lines that end a run."""

import datetime
import fnmatch
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
OURS, SCRIPTED = "picogrpc", "scripted-server"
KEY = ("client", "server", "via", "transport")

# Cases that the interop descriptions name and that no column runs.
NOWHERE = {
    "cacheable_unary": "needs a caching proxy, and clients that send GET",
    "max_concurrent_streams_connection_scaling": "our client has no second connection yet when the first is full",
    "compute_engine_creds, jwt_token_creds, oauth2_auth_token, per_rpc_creds, google_default_credentials, "
    "compute_engine_channel_credentials": "need an account of Google's cloud",
}


with open(os.path.join(HERE, "explained.json")) as file:
    EXPLAINED = json.load(file)


def explanation(key, case):
    """The clause that explains the failure of a case in a column, or None."""
    for entry in EXPLAINED:
        if all(fnmatch.fnmatchcase(value, entry[name]) for name, value in (*zip(KEY, key), ("case", case))):
            return entry["clause"]
    return None


def columns(versions, results):
    """One dict for each client, server, way and transport; its "cases" tell results as "RESULT: DETAIL"."""
    made = []
    for key, cells in results.items():
        cases = {}
        for case, (result, detail) in sorted(cells.items()):
            if result == "fail" and (clause := explanation(key, case)):
                result, detail = "explained", clause
            cases[case] = f"{result}: {detail}" if detail else result
        column = dict(zip(KEY, key))
        column["versions"] = {peer: versions[peer] for peer in (column["client"], column["server"], column["via"]) if peer in versions}
        made.append(column | {"date": datetime.date.today().isoformat(), "cases": cases})
    return made


def key_of(column):
    return tuple(column[name] for name in KEY)


def count(chosen, *results):
    return sum(text.partition(":")[0] in results for column in chosen for text in column["cases"].values())


def write(folder, new, keep_others):
    """Writes both files; with |keep_others| columns of other peers and ways stay as they are in the one that is there."""
    path = os.path.join(folder, "results.json")
    there = []
    if keep_others and os.path.exists(path):
        with open(path) as file:
            there = json.load(file)
    run = {key_of(column) for column in new}
    all_columns = sorted([*new, *(column for column in there if key_of(column) not in run)], key=key_of)
    with open(path, "w") as file:
        file.write("[" + ",\n".join(json.dumps(column, ensure_ascii=False) for column in all_columns) + "]\n")
    with open(os.path.join(folder, "RESULTS.md"), "w") as file:
        file.write(markdown(all_columns))


def pair_of(column):
    return column["client"], column["server"]


def tally(chosen):
    passed, failed, explained = count(chosen, "pass"), count(chosen, "fail"), count(chosen, "explained")
    if not passed + failed + explained:
        return "not run" if count(chosen, "not run") or not chosen else "–"
    text = f"{passed} of {passed + failed + explained}" + (f", {explained} explained" if explained else "")
    return f"**{text}**" if failed else text


def mark(chosen, case):
    """One cell for plaintext and TLS."""
    marks = []
    for column in sorted(chosen, key=key_of):
        result = column["cases"].get(case, "not run").partition(":")[0]
        marks.append({"pass": "✓", "fail": "**FAIL**", "not supported": "–", "explained": "explained"}.get(result, result))
    return marks[0] if len(set(marks)) == 1 else " / ".join(marks)


def reasons(all_columns, result):
    """Lines that tell the reasons of everything with that result."""
    found = {}
    for column in all_columns:
        for case, text in column["cases"].items():
            head, _, detail = text.partition(": ")
            if head == result == "fail":
                found.setdefault(f"{' → '.join(pair_of(column))} ({column['via']}, {column['transport']}): {detail}", {})[case] = True
            elif head == result == "explained":
                found.setdefault(f"{case} ({column['via']}): {detail}", {})[f"{' → '.join(pair_of(column))}, {column['transport']}"] = True
            elif head == result:
                found.setdefault(detail, {})[case] = True
    return [f"- {why}: {', '.join(where)}" for why, where in sorted(found.items())] or ["- none"]


def origins(all_columns):
    """Lines that tell when, and with which versions, each column was run."""
    found = {}
    for column in all_columns:
        def named(part, versions=column["versions"]):
            return f"{part} {versions[part]}" if part in versions else part

        peer = next((named(part) for part in pair_of(column) if part != OURS), "itself")
        ways = found.setdefault(f"{column['date']}, {named(OURS)}", {}).setdefault(peer, {})
        ways.setdefault(named(column["via"]), set()).add(column["transport"])
    for when, peers in sorted(found.items()):
        texts = [f"{peer} ({'; '.join(', '.join([via, *(transports if len(transports) == 1 else [])]) for via, transports in ways.items())})"
                 for peer, ways in sorted(peers.items())]
        yield f"- {when}: {', '.join(texts)}"


def markdown(all_columns):
    pairs = list(dict.fromkeys(pair_of(column) for column in all_columns))
    ways = list(dict.fromkeys((column["via"], column["transport"]) for column in all_columns))
    ways.sort(key=lambda way: (way[0] != "direct", way))
    out = ["# Interop results", "",
           "Written by `interop/matrix --update`; [README.md](README.md) says what is run and how. All results: `results.json`.",
           "", "Run:", "", *origins(all_columns), "",
           f"{count(all_columns, 'pass')} passed, {count(all_columns, 'fail')} failed, {count(all_columns, 'explained')} explained, "
           f"{count(all_columns, 'not run')} not run, {count(all_columns, 'not supported')} not supported by the peer.", "",
           "## Passed", "",
           "| client → server | " + " | ".join(f"{via}, {transport}" for via, transport in ways) + " |", "|---" * (len(ways) + 1) + "|"]
    for pair in pairs:
        cells = [tally([c for c in all_columns if pair_of(c) == pair and (c["via"], c["transport"]) == way]) for way in ways]
        out.append(f"| {pair[0]} → {pair[1]} | " + " | ".join(cells) + " |")
    ran = {(pair_of(column), (column["via"], column["transport"])) for column in all_columns}
    absent = {}
    for pair in pairs:
        for way in ways:
            if pair[1] != SCRIPTED and (pair, way) not in ran:
                absent.setdefault(", ".join(way), []).append(" → ".join(pair))
    for title, ours, theirs in (("Our client calls their servers", "client", "server"), ("Their clients call our server", "server", "client")):
        some = [column for column in all_columns if column[ours] == OURS and column["via"] == "direct" and column["server"] != SCRIPTED]
        peers = list(dict.fromkeys(column[theirs] for column in some))
        out += ["", f"## {title}", "", "Directly; ✓ passed, – not supported by the peer, plaintext / TLS where they differ.", "",
                "| case | " + " | ".join(peers) + " |", "|---" * (len(peers) + 1) + "|"]
        for case in sorted({case for column in some for case in column["cases"]}):
            out.append(f"| {case} | " + " | ".join(mark([c for c in some if c[theirs] == peer], case) for peer in peers) + " |")
    out += ["", "## Our client calls servers that misbehave", ""]
    out += [f"- {result}: {', '.join(case for column in all_columns if column['server'] == SCRIPTED for case in column['cases'] if column['cases'][case].startswith(result))}"
            for result in ("pass", "fail") if count([c for c in all_columns if c["server"] == SCRIPTED], result)] or ["- not run"]
    out += ["", "## Failed", "", *reasons(all_columns, "fail"),
            "", "## Failed and explained", "", "With their traces in `explained.json`.", "", *reasons(all_columns, "explained"),
            "", "## Not run", "", *reasons(all_columns, "not run"), *(f"- not yet run {way}: {', '.join(who)}" for way, who in absent.items()), *(f"- {why}: {cases}" for cases, why in NOWHERE.items()),
            "", "## Not supported by the peer", "", *reasons(all_columns, "not supported")]
    return "\n".join(out) + "\n"


def summary(chosen):
    """Prints what this run came to; its exit code."""
    for column in sorted(chosen, key=key_of):
        pair = " → ".join(pair_of(column))
        print(f"{pair + ', ' + column['via'] + ', ' + column['transport']:60} {count([column], 'pass'):4} passed"
              f" {count([column], 'fail'):4} failed {count([column], 'explained'):4} explained {count([column], 'not run'):4} not run"
              f" {count([column], 'not supported'):4} not supported")
    for title in ("not run", "explained", "fail"):
        lines = reasons(chosen, title)
        if lines != ["- none"]:
            print("\n".join(f"{title}: {line[2:]}" for line in lines))
    passed, failed = count(chosen, "pass"), count(chosen, "fail")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
