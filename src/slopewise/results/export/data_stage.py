"""Stage 1 of a script: the rows, read from a CSV file or written out, and the units of the descent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slopewise.data.design import Design, Feature
from slopewise.results.export.script import WIDTH, Script, assigned, literal, remark, row
from slopewise.results.record import CsvRows, InlineRows

INDENT = 4

HELD_OUT = '''
def mixed(number, seed):
    """Return 64 well-mixed bits for a row's number (splitmix64)."""
    z = (number + seed * 0xD1342543DE82EF95 + 1) * 0x9E3779B97F4A7C15 % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def held_out(number, shares={shares}, seed={seed}):
    """Return whether a row is kept for {purpose}: of each 20, those that mix lowest."""
    block = number // 20
    mixes = [mixed(20 * block + place, seed) for place in range(20)]
    offset = mixed(0, seed + 1) / 2**64
    rows = 0
    for share in shares:
        rows += floor((block + 1) * (share * 20) + offset)
        rows -= floor(block * (share * 20) + offset)
    return sorted(mixes).index(mixes[number % 20]) < rows
'''

FILLED = '''
def filled(value, otherwise):
    """Return the value, or what stands in for a missing one."""
    return otherwise if value in MISSING else value
'''

NUMBER = '''
def number(cell):
    """Return the number that is written in a cell of text."""
    return float({text})
'''

FEATURES = '''
def features(row):
    """Return one row of X; a category has a 0/1 column per level but the first."""
    return [
{cells}
    ]
'''


def rows_text(script: Script) -> Iterator[str]:
    """Yield the parts of stage 1; after them, names, X, Y and, where there are any, w and offset exist."""
    design, rows = script.design, script.rows
    names, target = assigned("names = ", [literal(name) for name in design.x_names]), remark(design.target)
    if isinstance(rows, InlineRows):
        head = f"# 1 data: a row of X per row of the table; Y holds {target}"
        lines = [head, names, *_inline(rows), *_mean_weights(script)]
        if rows.offset is not None:
            lines.append(assigned("offset = torch.tensor(", [row([value]) for value in rows.offset.tolist()], ")"))
        yield "\n".join(lines)
        return
    head = f"# 1 data: the rows of {remark(rows.path)}; Y holds {target}"
    yield "\n".join([head, names, *_missing(design)])
    yield from _functions(design, rows)
    yield "\n".join([*_read(design, rows), *_mean_weights(script)])


def units_text(script: Script) -> Iterator[str]:
    """Yield the lines that bring X into the units and the precision of the descent."""
    if not script.standardized:
        return
    weights, intercept = script.design.weights, script.design.intercept
    mean, std = "X.mean(0)", "X.std(0, correction=0)"
    if weights:
        mean, std = "(w * X).mean(0)", "(w * (X - mean) ** 2).mean(0).sqrt()"
    becomes = "mean 0 and standard deviation 1" if intercept else "standard deviation 1, and without b keeps its mean"
    lines = [f"# standard units: every column gets {becomes}"]
    lines += [f"mean = {mean}"] * bool(intercept or weights or script.constant)
    lines += [f"std = {std}"]
    lines += ["std[std <= 1e-14 * mean.abs()] = 1.0  # a column that never changes stays as it is"] * script.constant
    yield "\n".join([*lines, "X = (X - mean) / std" if intercept else "X = X / std"])
    if script.single:
        yield "\n".join(
            ["# from here in single precision", "torch.set_default_dtype(torch.float32)", cast_text(script)]
        )


def cast_text(script: Script) -> str:
    """Return the line that brings the rows into single precision."""
    names = ["X", "Y", *["w"] * script.weighted, *["offset"] * script.offset]
    return f"{', '.join(names)} = {', '.join(f'{name}.float()' for name in names)}"


def new_text(script: Script, dtype: str = "W.dtype") -> str:
    """Return the line that makes `new`, a row of X to predict, of a type such as `torch.float64`."""
    design, rows, given = script.design, script.rows, script.new
    if isinstance(rows, InlineRows):
        values = rows.x[0].tolist() if given is None else _coded(design, given)
        return assigned("new = torch.tensor(", [row(values)], f", dtype={dtype})", WIDTH - INDENT)
    if given is None:
        return f"new = torch.tensor([features(rows[0])], dtype={dtype})"
    cells = {feature.name: str(given[feature.name]) for feature in design.features}
    for name in design.numeric:
        cells[name] = cells[name].replace(".", rows.decimal)
    entries = [f"{literal(name)}: {literal(cell)}" for name, cell in cells.items()]
    line = f"new = {{{', '.join(entries)}}}"
    if len(line) > WIDTH - INDENT:
        line = "\n".join(["new = {", *(f"    {entry}," for entry in entries), "}"])
    return f"{line}\nnew = torch.tensor([features(new)], dtype={dtype})"


def _coded(design: Design, given: Mapping[str, float | str]) -> list[float]:
    coded: list[float] = []
    for feature in design.features:
        value = given[feature.name]
        if feature.kind == "category":
            coded += [float(str(value) == level) for level in feature.coded]
        else:
            coded.append(float(value))
    return coded


def _inline(rows: InlineRows) -> list[str]:
    """Return X and Y each on a line where both fit, else one table with Y (and w) as its last columns."""
    x, y = rows.x.tolist(), rows.y.tolist()
    one = f"X = torch.tensor([{', '.join(map(row, x))}])"
    other = f"Y = torch.tensor([{', '.join(row([value]) for value in y)}])"
    if rows.w is None and max(len(one), len(other)) <= WIDTH:
        return [one, other]
    q = rows.x.shape[1]
    last = [[value] for value in y] if rows.w is None else [list(pair) for pair in zip(y, rows.w.tolist(), strict=True)]
    table = [row([*features, *rest]) for features, rest in zip(x, last, strict=True)]
    wide = max(map(len, table)) > WIDTH - 9
    lines = ["# fmt: off"] * wide + ["table = torch.tensor("]
    lines += ["    [", *(f"        {cells}," for cells in table), "    ]", ")"] + ["# fmt: on"] * wide
    if rows.w is None:
        return [*lines, f"X, Y = table[:, :{q}], table[:, {q}:]"]
    return [*lines, f"X, Y, w = table[:, :{q}], table[:, {q}:{q + 1}], table[:, {q + 1}:]"]


def _missing(design: Design) -> list[str]:
    if design.missing == "error":
        return []
    reading = design.reading
    words = [*reading.words, *(f"{value:.{digits}f}" for value in reading.missing_numbers for digits in (0, 1, 2))]
    listed = [literal(word) for word in dict.fromkeys(words)]
    line = f"MISSING = {{{', '.join(listed)}}}"
    return [line] if len(line) <= WIDTH else ["MISSING = {", *(f"    {word}," for word in listed), "}"]


def _functions(design: Design, rows: CsvRows) -> Iterator[str]:
    shares = {"testing": rows.split.test_size, "validation": rows.split.validation_size}
    purposes = [purpose for purpose, share in shares.items() if share]
    if purposes:
        said = literal(tuple(shares[purpose] for purpose in purposes))
        yield HELD_OUT.format(shares=said, seed=literal(rows.split.seed), purpose=" or ".join(purposes))
    if design.missing == "mean":
        yield FILLED
    if set(design.reading.numbers) & set(design.used()):
        yield NUMBER.format(text=_parsed(design, rows))
    cells = [cell for feature in design.features for cell in _cells(design, feature, rows)]
    yield FEATURES.format(cells="\n".join(f"        {cell}," for cell in cells))


def _parsed(design: Design, rows: CsvRows) -> str:
    """Return the expression that makes a number as Python writes it of `cell`."""
    spaced, thousands = design.reading.thousands == " ", design.reading.thousands
    parsed = '"".join(cell.split())' if spaced else "cell.strip()"
    for mark in (thousands, "’" if thousands == "'" else ""):
        parsed += f'.replace({literal(mark)}, "")' if mark.strip() else ""
    parsed += '.replace(",", ".")' if rows.decimal == "," else ""
    return parsed + '.replace("\\u2212", "-")'


def _cells(design: Design, feature: Feature, rows: CsvRows) -> list[str]:
    """Return the expressions that make the columns of a feature from `row`."""
    cell = f"row[{literal(feature.name)}]"
    if feature.fill is not None:
        of_text = isinstance(feature.fill, str)
        mean = literal(feature.fill if of_text else repr(feature.fill).replace(".", rows.decimal))
        cell = f"filled({cell}, {mean})"
    if feature.kind == "category":
        return [f"float({cell} == {literal(level)})" for level in feature.coded]
    return [_number(cell, design, feature.name, rows)]


def _number(cell: str, design: Design, name: str, rows: CsvRows) -> str:
    if name in design.reading.numbers:
        return f"number({cell})"
    if name in rows.booleans or any(each.name == name and each.kind == "boolean" for each in design.features):
        return f'float({cell}.lower() in ("true", "t"))'
    return f'float({cell}.replace({literal(rows.decimal)}, "."))' if rows.decimal != "." else f"float({cell})"


def _read(design: Design, rows: CsvRows) -> Iterator[str]:
    packed = rows.path.endswith(".gz")
    delimiter = f", delimiter={literal(rows.delimiter)}" if rows.delimiter != "," else ""
    opened = 'gzip.open(path, "rt", ' if packed else "open(path, "
    path = literal(rows.path)
    short = len(path) + len("path = ") <= WIDTH or len(path) + INDENT > WIDTH
    yield f"path = {path}" if short else f"path = (\n    {path}\n)"
    yield f'with {opened}newline="", encoding="utf-8-sig") as file:'
    yield f"    rows = list(csv.DictReader(file{delimiter}))"
    if rows.split.test_size or rows.split.validation_size:
        yield "rows = [row for number, row in enumerate(rows) if not held_out(number)]"
    others = filter(None, [design.weights, design.offset, design.exposure])
    needed = design.used() if design.missing == "drop" else (design.target, *others)
    if design.missing != "error":
        yield assigned("needed = ", [literal(name) for name in needed])
        yield "rows = [row for row in rows if not MISSING & {row[name] for name in needed}]"
    if design.weights and (design.target_absent or any(feature.absent for feature in design.features)):
        weight = _number(f"row[{literal(design.weights)}]", design, design.weights, rows)
        yield f"rows = [row for row in rows if {weight} != 0]"
    yield "X = torch.tensor([features(row) for row in rows])"
    for letter, name in (("Y", design.target), ("w", design.weights)):
        if name is not None:
            cell = _number(f"row[{literal(name)}]", design, name, rows)
            if name == design.target and design.target_levels:
                cell = _class_number(design, rows)
                yield assigned("classes = ", [literal(level) for level in design.target_levels])
            line, inside = f"{letter} = torch.tensor(", f"[[{cell}] for row in rows]"
            yield f"{line}{inside})" if len(line + inside) < WIDTH else f"{line}\n    {inside}\n)"
    if design.offset or design.exposure:
        added = [_number(f"row[{literal(design.offset)}]", design, design.offset, rows)] if design.offset else []
        if design.exposure:
            added.append(f"log({_number(f'row[{literal(design.exposure)}]', design, design.exposure, rows)})")
        inside = f"[[{' + '.join(added)}] for row in rows]"
        line = "offset = torch.tensor("
        yield f"{line}{inside})" if len(line + inside) < WIDTH else f"{line}\n    {inside}\n)"


def _class_number(design: Design, rows: CsvRows) -> str:
    """Return the expression that makes the number of its class from a row's target."""
    cell = f"row[{literal(design.target)}]"
    if design.target_kind != "category":
        value = _number(cell, design, design.target, rows)
        cell = f'format({value} + 0.0, ".17g")' if design.target_kind == "number" else f"str(bool({value}))"
    return f"float(classes.index({cell}))"


def _mean_weights(script: Script) -> list[str]:
    """Return the lines that bring w to a mean of 1, `total` kept for the penalty."""
    if script.design.weights is None:
        return []
    lines = ["total = w.sum()", "w = w * len(w) / total"] if script.penalized else ["w = w / w.mean()"]
    return ["# weights of mean 1: the mean of w * error then is the weighted mean", *lines]
