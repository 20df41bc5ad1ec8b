"""What the README shows is what the program prints."""

import re
import shlex
from pathlib import Path

from slopewise.cli.main import main

ROOT = Path(__file__).parents[1]


def test_the_transcript_is_the_real_output(monkeypatch, capsys, tmp_path):
    block = re.search(r"```console\n\$ slopewise (.*?)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    command, shown = block.groups()
    words = [str(tmp_path / word) if word.endswith(".safetensors") else word for word in shlex.split(command)]
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["slopewise", *words])
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    assert not code
    assert capsys.readouterr().out == shown


def test_the_python_shown_runs(monkeypatch, tmp_path, capsys):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(blocks) >= 2
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert "largest stable lr" in capsys.readouterr().out
