"""Updates the schemas and the table from OpenAPI documents of Factorial and prints the changes.

    python -m tap_factorial.openapi DOCUMENT...

Each document is a file or a URL, such as https://api.factorialhr.com/oas/?version=2026-10-01; pass several from the
oldest version to the newest. The result is written to the tap's package.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tap_factorial.openapi.described import Described
from tap_factorial.openapi.document import Document, DocumentError, load_document

PACKAGE = Path(__file__).parent.parent


def main() -> None:
    """Reads the documents given on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tap_factorial.openapi", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("documents", nargs="+", metavar="DOCUMENT", help="a file or a URL")
    try:
        documents = [Document(load_document(place)) for place in parser.parse_args().documents]
        documents.sort(key=lambda document: document.version)
        described = Described(PACKAGE)
        changes = [described.apply_document(document) for document in documents]
        described.write()
    except DocumentError as error:
        sys.exit(str(error))
    for document, lines in zip(documents, changes, strict=True):
        print(f"{document.version}: {len(document.lists)} lists, {len(lines)} changes")  # noqa: T201
        for line in lines:
            print(f"  {line}")  # noqa: T201


if __name__ == "__main__":
    main()
