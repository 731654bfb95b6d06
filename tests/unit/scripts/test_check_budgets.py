"""The budgets find what exceeds them, worst first, and keep quiet about what does not."""

from pathlib import Path

import pytest

from scripts.check_budgets import Excess, check_tree, exceeding, exceeding_medians, main, measure

DOCUMENTED = '"""A module."""\n'


def sentences(source: str, path: str = "inference/a.py", *, product: bool = True) -> list[str]:
    return [excess.sentence for excess in exceeding(measure(Path(path), source), product=product)]


def function(lines: int, name: str = "run") -> str:
    return f'def {name}() -> None:\n    """Run."""\n' + "    print()\n" * lines


def test_small_documented_annotated_code_exceeds_nothing() -> None:
    assert sentences(DOCUMENTED + function(50)) == []


def test_a_docstring_is_no_part_of_a_body() -> None:
    measured = measure(Path("a.py"), DOCUMENTED + function(3))
    assert [found.body_lines for found in measured.functions] == [3]


def test_a_body_of_51_lines_is_too_long() -> None:
    assert sentences(DOCUMENTED + function(51)) == ["inference/a.py:2 run: 51 lines (50 at most)"]


def test_a_file_of_401_lines_is_too_long() -> None:
    assert sentences(DOCUMENTED + "VALUE = 1\n" * 400) == ["inference/a.py: 401 lines (400 at most)"]
    assert sentences(DOCUMENTED + "VALUE = 1\n" * 399) == []


@pytest.mark.parametrize(
    "source",
    [
        "def run(): ...\n",
        "def run(a) -> None: ...\n",
        "def run(*a) -> None: ...\n",
        "async def run(**a) -> None: ...\n",
    ],
)
def test_what_is_not_annotated_in_full_is_named(source: str) -> None:
    assert sentences(DOCUMENTED + source, product=False) == ["inference/a.py:2 run: not annotated in full"]


def test_self_and_cls_need_no_annotation() -> None:
    assert sentences("class A:\n    def run(self, a: int) -> None: ...\n", product=False) == []


def test_complexity_above_ten_is_named_in_functions_and_methods() -> None:
    branches = "".join(f"        if a == {number}:\n            return\n" for number in range(10))
    source = f"class A:\n    def run(self, a: int) -> None:\n{branches}"
    assert sentences(source, product=False) == ["inference/a.py:2 run: complexity 11 (10 at most)"]


def test_asserts_add_no_complexity() -> None:
    assert sentences("def test() -> None:\n" + "    assert True\n" * 20, product=False) == []


def test_public_things_of_the_product_need_docstrings() -> None:
    source = "class A:\n    def run(self) -> None: ...\n    def _run(self) -> None: ...\n"
    assert sentences(source) == [
        "inference/a.py:1 the module: public, without a docstring",
        "inference/a.py:1 A: public, without a docstring",
        "inference/a.py:2 run: public, without a docstring",
    ]
    assert sentences(source, product=False) == []


def test_a_method_that_overrides_inherits_its_docstring() -> None:
    source = '"""A module."""\n\n\nclass A(B):\n    """A."""\n\n    @override\n    def run(self) -> None: ...\n'
    assert sentences(source) == []


@pytest.mark.parametrize("path", ["inference/utils.py", "inference/common/names.py"])
def test_names_that_say_nothing_are_refused(path: str) -> None:
    assert sentences(DOCUMENTED, path) == [f"{path}: a name that says nothing"]


def test_medians_are_of_the_whole_product() -> None:
    long = measure(Path("a.py"), DOCUMENTED + function(9, "a") + "VALUE = 1\n" * 130)
    short = measure(Path("b.py"), DOCUMENTED + function(7, "b"))
    assert list(exceeding_medians([long, short])) == []
    assert [excess.sentence for excess in exceeding_medians([long])] == [
        "the median file has 142 lines (130 at most)",
        "the median function body has 9 lines (8 at most)",
    ]


def test_the_worst_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "a.py").write_text(DOCUMENTED + function(60, "long") + function(100, "longest") + "def bare(): ...\n" * 3)
    found = check_tree(tmp_path)
    assert [excess.sentence.split()[1] for excess in found][:2] == ["longest:", "long:"]
    assert found == sorted(found, key=lambda excess: -excess.ratio)
    assert all(isinstance(excess, Excess) for excess in found)


def test_the_exit_code_says_whether_the_budgets_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main() == 0
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "helpers.py").write_text("")
    assert main() == 1
    assert capsys.readouterr().out.splitlines() == [
        "Budgets: kept.",
        "tests/helpers.py: a name that says nothing",
        "Budgets: 1 places exceed them.",
    ]
