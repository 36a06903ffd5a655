"""The results of interop/matrix as JSON, as tables for people, and as the lines that end a run."""

import datetime
import fnmatch
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
KEY = ("client", "server", "via", "transport")

# Cases that the interop descriptions name and that no column runs.
NOWHERE = {
    "cacheable_unary": "needs a caching proxy, and clients that send GET",
    "max_concurrent_streams_connection_scaling": "our client has no second connection yet when the first is full",
    "compute_engine_creds, jwt_token_creds, oauth2_auth_token, per_rpc_creds, google_default_credentials, "
    "compute_engine_channel_credentials": "need an account of Google's cloud",
}


def columns(versions, results):
    """One dict for each client, server, way and transport; its "cases" tell results as "RESULT: DETAIL"."""
    with open(os.path.join(HERE, "explained.json")) as file:
        explained = json.load(file)
    made = []
    for key, cells in results.items():
        cases = {}
        for case, (result, detail) in sorted(cells.items()):
            for entry in explained if result == "fail" else ():
                if all(fnmatch.fnmatchcase(value, entry[name]) for name, value in (*zip(KEY, key), ("case", case))):
                    result, detail = "explained", entry["clause"]
            cases[case] = f"{result}: {detail}" if detail else result
        column = dict(zip(KEY, key))
        column["versions"] = {peer: versions[peer] for peer in (column["client"], column["server"], column["via"]) if peer in versions}
        made.append(column | {"date": datetime.date.today().isoformat(), "cases": cases})
    return made


def key_of(column):
    return tuple(column[name] for name in KEY)


def count(chosen, *results):
    return sum(text.partition(":")[0] in results for column in chosen for text in column["cases"].values())


def write(folder, new):
    """Writes both files; columns of other peers and ways stay as they are in the one that is there."""
    path = os.path.join(folder, "results.json")
    there = []
    if os.path.exists(path):
        with open(path) as file:
            there = json.load(file)
    run = {key_of(column) for column in new}
    all_columns = sorted([*new, *(column for column in there if key_of(column) not in run)], key=key_of)
    with open(path, "w") as file:
        file.write("[" + ",\n".join(json.dumps(column, ensure_ascii=False, indent=0) for column in all_columns) + "]\n")
    with open(os.path.join(folder, "RESULTS.md"), "w") as file:
        file.write(markdown(all_columns))


def pair_of(column):
    return column["client"], column["server"]


def tally(chosen):
    passed, failed, explained = count(chosen, "pass"), count(chosen, "fail"), count(chosen, "explained")
    if not passed + failed + explained:
        return "not run" if count(chosen, "not run") else "–"
    text = f"{passed} of {passed + failed + explained}" + (f", {explained} explained" if explained else "")
    return f"**{text}**" if failed else text


def mark(chosen, case):
    """One cell for plaintext and TLS."""
    marks = []
    for column in sorted(chosen, key=key_of):
        result = column["cases"].get(case, "–").partition(":")[0]
        marks.append({"pass": "✓", "fail": "**FAIL**", "not supported": "–", "explained": "explained"}.get(result, result))
    return marks[0] if len(set(marks)) == 1 else " / ".join(marks)


def reasons(all_columns, result):
    """Lines "who: why: cases" for everything with that result."""
    found = {}
    for column in all_columns:
        for case, text in column["cases"].items():
            head, _, detail = text.partition(": ")
            if head == result:
                pair = f"{column['client']} → {column['server']}" if result in ("fail", "explained") else ""
                way = f" ({column['via']}, {column['transport']})" if result in ("fail", "explained") else ""
                found.setdefault(f"{pair}{way}: {detail}" if pair else detail, {})[case] = True
    return [f"- {why}: {', '.join(cases)}" for why, cases in sorted(found.items())] or ["- none"]


def markdown(all_columns):
    pairs = list(dict.fromkeys(pair_of(column) for column in all_columns))
    ways = list(dict.fromkeys((column["via"], column["transport"]) for column in all_columns))
    ways.sort(key=lambda way: (way[0] != "direct", way))
    versions = {peer: version for column in all_columns for peer, version in column["versions"].items()}
    dates = sorted(column["date"] for column in all_columns)
    out = ["# Interop results", "",
           "Written by `interop/matrix --update`; [README.md](README.md) says what is run and how. All results: `results.json`.",
           "", f"Run {dates[0]}" + (f" to {dates[-1]}" if dates[-1] != dates[0] else "") + " with " +
           ", ".join(f"{peer} {version}" for peer, version in sorted(versions.items())) + ".", "",
           f"{count(all_columns, 'pass')} passed, {count(all_columns, 'fail')} failed, {count(all_columns, 'explained')} explained, "
           f"{count(all_columns, 'not run')} not run, {count(all_columns, 'not supported')} not supported by the peer.", "",
           "## Passed", "",
           "| client → server | " + " | ".join(f"{via}, {transport}" for via, transport in ways) + " |", "|---" * (len(ways) + 1) + "|"]
    for pair in pairs:
        cells = [tally([c for c in all_columns if pair_of(c) == pair and (c["via"], c["transport"]) == way]) for way in ways]
        out.append(f"| {pair[0]} → {pair[1]} | " + " | ".join(cells) + " |")
    for via in dict.fromkeys(via for via, transport in ways):
        some = [column for column in all_columns if column["via"] == via]
        here = list(dict.fromkeys(pair_of(column) for column in some))
        out += ["", f"## Cases, {via if via == 'direct' else 'through ' + via}", "",
                "✓ passed, – not supported by the peer; plaintext / TLS where they differ.", "",
                "| case | " + " | ".join(f"{client} → {server}" for client, server in here) + " |", "|---" * (len(here) + 1) + "|"]
        for case in sorted({case for column in some for case in column["cases"]}):
            out.append(f"| {case} | " + " | ".join(mark([c for c in some if pair_of(c) == pair], case) for pair in here) + " |")
    out += ["", "## Failed", "", *reasons(all_columns, "fail"),
            "", "## Failed and explained", "", "With their traces in `explained.json`.", "", *reasons(all_columns, "explained"),
            "", "## Not run", "", *reasons(all_columns, "not run"), *(f"- {why}: {cases}" for cases, why in NOWHERE.items()),
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
