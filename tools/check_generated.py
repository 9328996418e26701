#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_generated.py FILE COMMAND...: FILE must be what COMMAND prints. With PST_UPDATE_GOLDEN=1 it is made so."""
import difflib
import os
import pathlib
import subprocess
import sys


def main():
    file, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    wanted = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if os.environ.get("PST_UPDATE_GOLDEN"):
        file.write_text(wanted)
        return 0
    there = file.read_text() if file.exists() else ""
    difference = list(difflib.unified_diff(there.splitlines(), wanted.splitlines(), str(file), "generated", lineterm=""))
    print("\n".join(difference))
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
