"""Messages name options as Python does, and on the command line as flags."""

from __future__ import annotations

import pytest

from slopewise.cli.main import flags
from slopewise.wording import in_shell, spoken


@pytest.mark.parametrize(
    ("python", "shell"),
    [
        ("take lr=0.162, or allow_divergence=True to watch it.", "take --lr 0.162, or --allow-divergence to watch it."),
        ("choose missing='drop' to leave such rows out.", "choose --missing drop to leave such rows out."),
        ("leave out standardize=False, with lr=0.3: why", "leave out --raw, with --lr 0.3: why"),
        ("leave out intercept=False, or look", "leave out --no-intercept, or look"),
        ("model='mlp', hidden=3, activation='sigmoid'", "--model mlp --hidden 3 --activation sigmoid"),
        ("leave 'a' out: features=['b c', 'd']", "leave 'a' out: --features '\"b c\",d'"),
        ("batch_size 4 is more than the 3 rows", "--batch-size 4 is more than the 3 rows"),
        ("l2 is -1.0; give a finite number", "--l2 is -1.0; give a finite number"),
        ("set l2 above zero", "set l2 above zero"),
        ("column 'batch_size' of batch_size.csv", "column 'batch_size' of batch_size.csv"),
        ("say which table with table_name='NAME'", "say which table with --table NAME"),
        ("there is no file /tmp/lr=3/test_size", "there is no file /tmp/lr=3/test_size"),
        ("give epochs=2000.", "give --epochs 2000."),
    ],
)
def test_option_names_become_flags(python: str, shell: str) -> None:
    assert spoken(python) == python
    with in_shell(flags()):
        assert spoken(python) == shell


def test_python_and_the_shell_each_read_their_own_option_names(call, examples) -> None:
    import slopewise
    from slopewise.errors import DataError

    with pytest.raises(DataError, match="choose missing='drop' to leave"):
        slopewise.fit(examples / "penguins.csv", target="body_mass_g", features=["flipper_length_mm"])
    done = call("fit", examples / "penguins.csv", "--target", "body_mass_g", "--features", "flipper_length_mm")
    assert "choose --missing drop to leave" in done.err


def test_a_finding_names_options_as_its_caller_does(call, examples, tmp_path) -> None:
    import slopewise

    path = tmp_path / "lesson.fit"
    arguments = ("--target", "points", "--raw", "--lr", "1e-5", "--epochs", "20", "--out", path)
    done = call("fit", examples / "hours_points.csv", *arguments)
    assert "fix     --lr 0.176" in done.out
    assert slopewise.load(path).findings[0]["fix"] == "lr=0.176"
