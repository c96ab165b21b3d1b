"""Run the conformance cases against any server: `python -m tests.conformance URL --user ... --other-user ...`.

Two mailboxes are needed, which the cases write into: use test accounts. Each case runs in each version that the server
offers. Ends with what failed, a table by specification and version, and 1 if anything failed.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from lab import Case, Inapplicable, Lab, Login, load_cases
from wire import basic

from eas.protocol import http
from eas.protocol.version import Version

#: Seconds that a server may take to answer; waits of the cases are shorter.
ANSWER_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`trouble` is "" for a case that passed, None for one that does not apply to this server."""

    case: Case
    version: Version
    trouble: str | None


async def offered(client: httpx.AsyncClient, me: Login) -> tuple[Version, ...]:
    """The versions that the server names in its answer to OPTIONS."""
    answer = await client.request("OPTIONS", http.PATH, headers={"Authorization": basic(me.user, me.password)})
    named = answer.headers.get("MS-ASProtocolVersions", "").replace(" ", "").split(",")
    return tuple(version for version in Version if version.text in named)


async def run(case: Case, lab: Lab) -> Outcome:
    try:
        await case.run(lab)
    except Inapplicable:
        trouble: str | None = None
    except Exception as error:  # whatever a server answers, the other cases go on
        trouble = f"{type(error).__name__}: {error}".strip()
    else:
        trouble = ""
    return Outcome(case=case, version=lab.version, trouble=trouble)


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Cases passed of cases that apply, by specification and version, and requirements of which all cases passed."""
    versions = sorted({outcome.version for outcome in outcomes})
    applied = [outcome for outcome in outcomes if outcome.trouble is not None]
    total = Counter((o.case.document, o.version) for o in applied)
    passed = Counter((o.case.document, o.version) for o in applied if not o.trouble)
    failed_ids = {id for o in applied if o.trouble for id in o.case.ids}
    ids = {id for o in applied for id in o.case.ids}
    lines = [f"{'':12}" + "".join(f"{version.text:>11}" for version in versions) + f"{'requirements':>15}"]
    for document in sorted({o.case.document for o in outcomes}):
        cells = [
            f"{passed[document, version]}/{total[document, version]}" if total[document, version] else "-"
            for version in versions
        ]
        whole = {id for id in ids if id[0] == document}
        lines.append(
            f"{document:12}" + "".join(f"{cell:>11}" for cell in cells)
            + f"{f'{len(whole - failed_ids)}/{len(whole)}':>15}"
        )
    return lines


async def suite(given: argparse.Namespace) -> int:
    me = Login(user=given.user, password=given.password, address=given.address or given.user)
    other = Login(user=given.other_user, password=given.other_password, address=given.other_address or given.other_user)
    async with httpx.AsyncClient(base_url=given.url, verify=not given.insecure, timeout=ANSWER_SECONDS) as client:
        client.headers.clear()
        versions = await offered(client, me)
        if given.versions:
            versions = tuple(version for version in versions if version.text in given.versions.split(","))
        if not versions:
            print("the server offers none of these versions (wrong address, or wrong user and password?)")
            return 2
        outcomes = []
        for case in load_cases():
            for version in versions:
                if version in case.spoken and given.only in case.name:
                    outcome = await run(case, Lab(
                        client=client, version=version, me=me, other=other, documents=given.documents
                    ))
                    outcomes.append(outcome)
                    if outcome.trouble:
                        print(f"FAILED {case.name} {version.text}: {outcome.trouble[:given.width]}", flush=True)
    print(*table(outcomes), sep="\n")
    failed = sum(bool(outcome.trouble) for outcome in outcomes)
    skipped = sum(outcome.trouble is None for outcome in outcomes)
    print(f"{len(outcomes) - failed - skipped} passed, {failed} failed, {skipped} do not apply")
    return bool(failed)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("url", help="the server, e.g. https://mail.example.com")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--address", default="", help="of the user, where it is not the login")
    parser.add_argument("--other-user", required=True)
    parser.add_argument("--other-password", required=True)
    parser.add_argument("--other-address", default="")
    parser.add_argument("--documents", default="", help="link of a folder with what library_kit.py names")
    parser.add_argument("--versions", default="", help="only these, e.g. 14.1,16.1")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--insecure", action="store_true", help="take any certificate")
    parser.add_argument("--width", type=int, default=300, help="characters of a failure to print")
    return asyncio.run(suite(parser.parse_args(arguments)))
