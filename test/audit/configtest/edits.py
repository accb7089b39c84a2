"""Applies a finding's edits to the files that they are for."""
from pathlib import Path


def apply(edits):
    """Line numbers are those of the files before any edit."""
    files = {}
    for edit in edits:
        files.setdefault(edit["file"], []).append(edit)
    for file, some in files.items():
        path = Path(file)
        lines = path.read_text(encoding="utf-8").splitlines()
        out = []
        for number, line in enumerate(lines, 1):
            here = [edit for edit in some if edit["line"] == number]
            before = [edit["text"] for edit in here if edit["action"] == "insert-before"]
            instead = [edit["text"] for edit in here if edit["action"] == "replace"]
            after = [edit["text"] for edit in here if edit["action"] == "insert-after"]
            gone = any(edit["action"] == "delete" for edit in here)
            assert len(instead) + gone < 2, f"{file}:{number} is changed twice: {here}"
            out += before + (instead or ([] if gone else [line])) + after
        assert all(1 <= edit["line"] <= len(lines) for edit in some), some
        path.write_text("\n".join(out) + "\n", encoding="utf-8")
