"""Command-line options of the double.

The first group starts the node. The second group decides where the vendor's documents contradict
each other or are silent; the default follows the newest document. The third group sets what an
administrator of a node would set.
"""

import argparse
import re


def address(text):
    """Parses `HOST:PORT`; an IPv6 host stands in brackets."""
    match = re.fullmatch(r"\[([^\]]+)\]:(\d+)|([^:\[\]]+):(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f'"{text}" is not HOST:PORT')
    return match[1] or match[3], int(match[2] or match[4])


def add_documents(parser):
    """Adds the switches for contradictions between documents."""
    group = parser.add_argument_group("where documents differ or are silent")
    choice = group.add_argument
    choice("--unknown-id", choices=["200", "404"], default="200",
           help="status of the Not Found body for unknown ids and hashes")
    choice("--batch-cancel", choices=["batch", "file", "both"], default="batch",
           help="path to cancel a batch: /file/batch/ID/cancel (5.x) or /file/ID/cancel (4.18)")
    choice("--stat-nodes", choices=["object", "array"], default="object",
           help="shape of GET /stat/nodes")
    choice("--login-refusal", choices=["403", "404"], default="403",
           help="status of a failed login")
    choice("--bad-apikey", choices=["400", "403"], default="400",
           help="status for an apikey that is not valid")
    choice("--close-refusal", type=int, default=400, metavar="STATUS",
           help="status of a close while files are in progress; 200 answers an open report")
    choice("--progress-result", choices=["255", "so-far"], default="255",
           help="scan_all_result_i while in progress: 255, or the result so far (recorded 4.x)")
    choice("--display-name", choices=["as-sent", "decoded"], default="as-sent",
           help="display_name repeats the filename header, or its URL-decoded form")
    choice("--empty-batch", choices=["omit", "list"], default="omit",
           help="an empty batch omits files_in_batch and paging, or has an empty list")
    choice("--cancelled-spelling", choices=["Cancelled", "Canceled"], default="Cancelled",
           help="name of result 19 (5.x, 4.18)")
    choice("--callback-method", choices=["POST", "PUT"], default="POST",
           help="method of callbacks")
    choice("--hash-rule", choices=["applies", "ignored"], default="applies",
           help="the header rule of a lookup by hash: only a result under it counts, or no effect")
    choice("--wrong-batch", choices=["unknown", "another-instance"], default="unknown",
           help="text for a file of a batch that this node does not have")
    choice("--readyz-body", choices=["verbose", "always"], default="verbose",
           help="when GET /readyz has a body")
    choice("--backup-readyz", choices=["200", "503"], default="200",
           help="status of GET /readyz on a backup instance")
    choice("--standby-refusal", choices=["expired", "forbidden", "failed"], default="expired",
           help="answer to scans of a backup or unlicensed instance: 500 License is expired, "
                "403 Access denied, or 500 Failed to request scan")
    choice("--refusals", choices=["late", "early"], default="late",
           help="refuse an upload after its body, or as soon as its headers are known")


def add_administration(parser):
    """Adds what an administrator sets on a node."""
    group = parser.add_argument_group("administration")
    option = group.add_argument
    option("--role", choices=["active", "backup", "unlicensed"], default="active")
    option("--apikey", action="append", default=[], metavar="KEY",
           help="valid key, repeatable; without it every key is valid")
    option("--require-apikey", action="store_true", help="refuse scans without an apikey")
    option("--user", default="admin")
    option("--password", default="admin")
    option("--rule", action="append", default=[], metavar="NAME",
           help="workflow rule, repeatable; the first one is the default")
    option("--max-file-size", type=int, default=200_000_000, metavar="BYTES")
    option("--queue-size", type=int, default=1500, metavar="FILES")
    option("--queue-threshold", type=int, default=80, metavar="PERCENT")
    option("--scan-seconds", type=float, default=0.05, help="time to analyse a file")
    option("--visible-after", type=float, default=0.0, metavar="SECONDS",
           help="a new data_id answers Not Found for this time")
    option("--archive-password", default="infected")
    option("--signing", choices=["on", "off"], default="on", help="signed batch results")
    option("--x-core-id", action="store_true", help="send the X-Core-Id header")
    option("--deployment-id", default="", help="default: derived from the name")
    option("--product-version", default="5.22.0")
    option("--callback-retries", type=int, default=3)
    option("--callback-delay", type=float, default=1.0, metavar="SECONDS",
           help="time before the first retry, added again per further retry")
    option("--idle-seconds", type=float, default=0.0,
           help="close kept connections that are idle for this time; 0 never closes them")
    option("--history", type=int, default=200_000, metavar="FILES",
           help="finished analyses, and closed batches, to keep")


def parse(arguments=None):
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description="Test double of the REST API of OPSWAT MetaDefender Core.")
    parser.add_argument("--listen", type=address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    parser.add_argument("--control", type=address, metavar="HOST:PORT",
                        help="second listener for /_double, exempt from faults")
    parser.add_argument("--name", default="core")
    add_documents(parser)
    add_administration(parser)
    options = parser.parse_args(arguments)
    if not options.rule:
        options.rule = ["File process", "File scan"]
    if not options.deployment_id:
        options.deployment_id = "MSCL" + options.name.encode().hex().ljust(32, "0")[:32]
    return options
