"""Every exercise accepts its solution, names its wrong answers, and survives any learner's code."""

import _thread
import inspect
import re
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from support.imports import imported

from utils import progress as kept
from utils.exercises import check, hint, solution
from utils.exercises._agree import agree
from utils.exercises._compare import Wrong, grammar, numbers, same, sizes, unpack
from utils.exercises._exercise import Exercise, UnknownExercise, chapters, exercises, find
from utils.exercises._run import TimedOut, run
from utils.exercises._slips import slips

ROOT = Path(__file__).parent.parent
LIMIT = 60  # s; patient where nothing hangs, for a busy machine
ALL = [e for chapter in chapters() for e in exercises(chapter).values()]
FUNCTIONS = [e for e in ALL if not e.is_value]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))


def each(some):
    return pytest.mark.parametrize("exercise", some, ids=lambda e: e.id)


def solved(exercise):
    return exercise.reference() if exercise.is_value else exercise.reference


# ------------------------------------------------------------------ what holds for every exercise
@each(ALL)
def test_the_solution_passes_without_noise(exercise, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verdict = exercise.judge(solved(exercise), LIMIT)
    assert (verdict.mark, verdict.text) == ("✔", exercise.name)
    assert capfd.readouterr() == ("", "")


def earns_its_message_each_time(exercise, wrong, capfd):
    first, second = (exercise.judge(wrong.answer, LIMIT) for _ in range(2))
    assert first == second
    assert first.mark == "✘"
    assert wrong.message in first.text
    assert "\n" not in first.text
    assert capfd.readouterr() == ("", "")


@each(ALL)
def test_a_wrong_answer_earns_its_message_each_time(exercise, capfd):
    for wrong in exercise.wrong_answers():
        earns_its_message_each_time(exercise, wrong, capfd)


@each(ALL)
def test_each_wrong_answer_has_a_message_of_its_own(exercise):
    wrongs = exercise.wrong_answers()
    declared = [wrong.message for wrong in wrongs]
    earned = [exercise.judge(wrong.answer, LIMIT).text for wrong in wrongs]
    assert len(earned) >= 3
    assert len(set(earned)) == len(earned)
    for own, text in enumerate(earned):
        assert [message in text for message in declared].count(True) == 1, (own, text)


def test_a_wrong_answer_turned_right_does_not_go_unnoticed(capfd):
    slope = find("01.4")
    turned = slope.wrong_answers()[0]._replace(answer=lambda y: y * (1 - y))
    with pytest.raises(AssertionError):
        earns_its_message_each_time(slope, turned, capfd)


@each(ALL)
def test_an_exercise_is_complete(exercise):
    assert exercise.id.split(".")[0] in chapters()
    assert exercise.name.isidentifier()
    assert exercise.task
    assert exercise.why
    assert len(exercise.hints) >= 2
    assert len(set(exercise.hints)) == len(exercise.hints)
    assert exercise.test is not None


@pytest.mark.parametrize("chapter", chapters())
def test_a_chapter_numbers_its_exercises_without_gaps(chapter):
    found = exercises(chapter)
    assert list(found) == [f"{chapter}.{n}" for n in range(1, len(found) + 1)]
    assert len(found) >= (8 if chapter > "00" else 1)
    assert len({e.name for e in found.values()}) == len(found)
    module = sys.modules[f"utils.exercises.chapter_{chapter}"]
    made = sum(isinstance(value, Exercise) for value in vars(module).values())
    assert made == len(found), "two exercises share an id"


@each(FUNCTIONS)
def test_the_stub_of_a_function_is_not_answered(exercise):
    scope = {}
    exec(f"def stub{inspect.signature(exercise.reference)}:\n    '''Task.'''\n    ...", scope)
    verdict = exercise.judge(scope["stub"], LIMIT)
    assert (verdict.mark, verdict.text) == ("○", "not answered yet")


@each([e for e in ALL if e.is_value])
def test_the_stub_of_a_value_is_not_answered(exercise):
    stubs = (None, ..., (..., ...), [None, 1.0], ([..., 1], 2))
    verdicts = {repr(stub): exercise.judge(stub, LIMIT) for stub in stubs}
    unlike = {s: v for s, v in verdicts.items() if (v.mark, v.text) != ("○", "not answered yet")}
    assert unlike == {}


@each(FUNCTIONS)
def test_a_function_that_returns_nothing_is_asked_for_its_return(exercise):
    def forgetful(*args):
        exercise.reference(*args)

    verdict = exercise.judge(forgetful, LIMIT)
    assert verdict.mark == "○"
    assert verdict.text == "not answered yet: the function gives None, is a `return` missing?"


@each(FUNCTIONS)
def test_a_return_missing_on_one_path_is_named(exercise):
    calls = []

    def sometimes(*args):
        calls.append(args)
        if len(calls) == 1:
            return exercise.reference(*args)
        return None

    verdict = exercise.judge(sometimes, LIMIT)
    assert verdict.mark == "✘"
    assert "`return` is missing on one path" in verdict.text


# but functions, tensors and texts
TAKE_NO_ARRAYS = {
    *("is_adam", "is_nms", "leaks", "focal_loss", "loss_repaired"),
    *("pieces", "looks_ahead", "adapter", "packages", "is_right_rule", "gradients_of_parts"),
}


@each([e for e in FUNCTIONS if e.name not in TAKE_NO_ARRAYS])
def test_a_change_in_place_is_named(exercise):
    def careless(*args):
        value = exercise.reference(*args)
        next(a for a in args if isinstance(a, np.ndarray))[...] += 1
        return value

    name = next(iter(inspect.signature(exercise.reference).parameters))
    verdict = exercise.judge(careless, LIMIT)
    assert verdict.mark == "✘"
    assert f"{name} is changed in place" in verdict.text


@each(FUNCTIONS)
def test_an_exception_is_told_with_its_line(exercise):
    def broken(*args):
        return 1 / 0

    line = broken.__code__.co_firstlineno + 1
    verdict = exercise.judge(broken, LIMIT)
    assert verdict.mark == "✘"
    assert verdict.text == f"ZeroDivisionError: division by zero (line {line}: return 1 / 0)"


NONSENSE = (
    7, "text", np.ones((2, 2, 2, 2)), {"a": 1}, [[1, 2], [3]], 1j, object(), np.array(["a"]), (),
)  # fmt: skip


@each(ALL)
def test_nonsense_gets_a_plain_answer(exercise):
    def is_plain(verdict):
        strange = ("the check cannot read", "0x")
        return verdict.mark == "✘" and not any(words in verdict.text for words in strange)

    verdicts = {
        repr(value): exercise.judge(value if exercise.is_value else lambda *_, v=value: v, LIMIT)
        for value in NONSENSE
    }
    assert len(verdicts) == len(NONSENSE)
    assert {value: v for value, v in verdicts.items() if not is_plain(v)} == {}


@each(ALL)
def test_the_printed_solution_can_be_pasted_and_passes(exercise):
    code, why = exercise.solution().split("\n\nwhy: ")
    scope = {"np": np}
    exec(code, scope)
    assert exercise.judge(scope[exercise.name], LIMIT).mark == "✔"
    assert why == exercise.why
    assert "@" not in code.splitlines()[0]


# ------------------------------------------------------------------ check, hint and solution print
def test_check_prints_one_line(capsys):
    slope = find("01.4")
    check("01.4")
    check("01.4", None)
    check("01.4", lambda y: 1 - y)
    check("01.4", slope.reference)
    assert capsys.readouterr().out.splitlines() == [
        '○ 01.4 not answered yet   → check("01.4", sigmoid_slope)',
        "○ 01.4 not answered yet",
        '✘ 01.4 1 − y is one of two factors   → hint("01.4")',
        "✔ 01.4 sigmoid_slope",
    ]


def test_only_a_pass_is_kept():
    check("01.4", lambda y: 1 - y)
    assert kept.passed() == frozenset()
    check("01.4", find("01.4").reference)
    check("01.4", lambda y: 1 - y)
    assert kept.passed() == {"01.4"}


def test_hints_come_one_at_a_time_and_end_with_the_solution(capsys, monkeypatch):
    exercise = find("01.4")
    monkeypatch.setattr(exercise, "_hints_shown", 0)
    for _ in range(4):
        hint("01.4")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        f"hint 1 of 3: {exercise.hints[0]}",
        f"hint 2 of 3: {exercise.hints[1]}",
        f'hint 3 of 3: {exercise.hints[2]}   → solution("01.4")',
    ]
    assert lines[3] == lines[2]


def test_a_solution_shows_code_and_why(capsys):
    solution("01.7")
    out = capsys.readouterr().out
    assert out.startswith("and_neuron = 1.0, 1.0, -1.5\n\nwhy: ")


def test_unknown_exercises_are_answered_with_the_known(capsys):
    for ask in (check, hint, solution):
        with pytest.raises(
            UnknownExercise, match=r"no exercise 99\.1; chapters .*: .*01"
        ) as caught:
            ask("99.1")
        assert isinstance(caught.value, LookupError)
        with pytest.raises(UnknownExercise, match=r"no exercise 01\.99; chapter 01 has 01\.1, "):
            ask("01.99")
        for strange in ("1.2", "abc", "01.1 ", "", "../01.1", "01.²"):
            with pytest.raises(UnknownExercise, match=r'chapter and number, as in "01\.2"'):
                ask(strange)
        for wrong_type in (5, 1.2, None, find("01.1")):
            with pytest.raises(TypeError, match=r'text such as "01\.2"'):
                ask(wrong_type)


def test_importing_the_exercises_imports_nothing_heavy():
    heavy = {"ctypes.util", "matplotlib", "numpy", "tensorflow", "torch"}
    assert not (heavy | {"utils.exercises.chapter_01"}) & imported("import utils.exercises")


# ------------------------------------------------------------------ answers that are no answers
def verdict_on(answer, id="01.4", limit=LIMIT):
    return find(id).judge(answer, limit)


def test_a_result_in_place_of_the_function_is_named():
    text = verdict_on(np.ones(3)).text
    assert text == (
        "pass the function itself, sigmoid_slope, without parentheses; got a value (ndarray)"
    )


def test_a_function_in_place_of_a_value_is_named():
    assert verdict_on(find("01.7").reference, id="01.7").text == (
        "the answer is a value, not a function: assign it to and_neuron"
    )


def test_other_parameters_are_named():
    assert verdict_on(lambda y, z: y).text == (
        "the function must take sigmoid_slope(y); yours takes (y, z)"
    )
    assert verdict_on(lambda: 0).mark == "✘"
    assert verdict_on(lambda s, extra=1: s * (1 - s)).mark == "✔"


def test_functions_written_in_c_and_callable_objects_are_welcome():
    class Slope:
        def __call__(self, y):
            return y * (1 - y)

    assert verdict_on(Slope()).mark == "✔"
    assert verdict_on(np.exp).mark == "✘"
    assert verdict_on(max).mark == "✘"


def test_tensors_and_lists_count_as_arrays():
    torch = pytest.importorskip("torch")
    assert verdict_on(lambda y: torch.tensor(y * (1 - y), requires_grad=True)).mark == "✔"
    assert verdict_on(lambda y: (y * (1 - y)).tolist()).mark == "✔"


def test_exceptions_are_told_in_one_repeatable_line():
    def nested(y):
        return helper(y)

    def helper(y):
        raise ValueError(f"bad\n  thing {object()}")

    text = verdict_on(nested).text
    assert text.startswith("ValueError: bad thing <object object at 0x…> (line ")
    assert f"(line {helper.__code__.co_firstlineno + 1}: " in text


def test_an_exception_inside_a_library_points_to_the_learners_line():
    def inverted(y):
        return np.linalg.inv(y)

    text = verdict_on(inverted).text
    assert text.startswith("LinAlgError: ")
    assert text.endswith(f"(line {inverted.__code__.co_firstlineno + 1}: return np.linalg.inv(y))")


def test_exit_recursion_and_memory_are_survived():
    def leave(y):
        sys.exit(3)

    def forever(y):
        return forever(y)

    def greedy(y):
        raise MemoryError

    assert verdict_on(leave).text.startswith("SystemExit: exit() would end the notebook")
    assert verdict_on(forever).text.startswith("RecursionError: the function calls itself")
    assert verdict_on(greedy).text.startswith("MemoryError (line ")


def test_warnings_of_the_learners_code_stay_silent_but_known(capfd):
    before = warnings.filters[:]
    assert verdict_on(lambda z: 1 / (1 + np.exp(-z)), id="01.3").text == (
        "the values are right, but NumPy warns of an overflow encountered in exp"
    )
    assert verdict_on(lambda y: np.log(0 * y) * 0 + y * (1 - y)).text == (
        "log takes 0: sigmoid_slope(np.array([0.7])) gives [nan], must give [0.21]"
    )
    assert capfd.readouterr().err == ""
    assert warnings.filters == before


def test_a_check_that_stumbles_says_so_instead_of_raising():
    exercise = Exercise("77.1", lambda: 1, ("a", "b"), "why", is_value=True)
    exercise.check(lambda answer, rng: answer.missing)
    verdict = exercise.judge(3, LIMIT)
    assert verdict.mark == "✘"
    assert verdict.text.startswith("the check cannot read this answer (AttributeError: ")


# ------------------------------------------------------------------ endless loops and interrupts
def plain_loop(y):
    while True:
        pass


def loop_that_swallows(y):
    while True:
        try:
            for _ in range(10**12):
                pass
        except:  # noqa: E722 - as learners write it
            pass


def loop_that_answers_late(y):
    try:
        while True:
            pass
    except BaseException:
        return y * (1 - y)


@pytest.mark.parametrize("loop", [plain_loop, loop_that_swallows, loop_that_answers_late])
def test_an_endless_loop_is_stopped_and_shown(loop, capfd):
    threads = set(sys._current_frames())
    text = verdict_on(loop, limit=0.2).text
    assert text.startswith("no result after 0.2 s: an endless loop? (line ")
    line = int(re.search(r"\(line (\d+): ", text)[1])
    first = loop.__code__.co_firstlineno
    assert first < line <= first + 5
    deadline = time.monotonic() + 5
    while set(sys._current_frames()) - threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(sys._current_frames()) <= threads, "the worker is still there"
    assert capfd.readouterr() == ("", "")


def test_slow_code_is_told_from_an_endless_loop():
    def slow(y):
        end = time.monotonic() + 0.15
        while time.monotonic() < end:
            pass
        return y * (1 - y)

    text = verdict_on(slow, limit=0.2).text
    assert text.startswith("too slow: some inputs are answered, but not all within 0.2 s (line ")
    assert text.endswith("is there a loop where one operation on arrays is enough?")


@pytest.mark.slow
def test_a_call_stuck_outside_python_asks_for_a_restart():
    release = threading.Lock()
    release.acquire()

    def stuck(y):
        release.acquire()

    with pytest.raises(TimedOut) as caught:
        run(lambda: stuck(0), 0.1, grace=0.1)
    assert not caught.value.stopped
    assert caught.value.stack[-1].name == "stuck"
    text = verdict_on(stuck, limit=0.1).text
    line = stuck.__code__.co_firstlineno + 1
    assert text == (
        f"no result after 0.1 s, and it cannot be stopped (line {line}: release.acquire()): "
        "restart the kernel"
    )
    release.release()


def test_no_interrupt_reaches_the_next_cell():
    counts = []

    def bystander():
        counts.append(sum(1 for _ in range(3_000_000)))

    other = threading.Thread(target=bystander)
    other.start()
    for _ in range(5):
        verdict_on(plain_loop, limit=0.02)
        assert sum(1 for _ in range(100_000)) == 100_000
    other.join()
    assert counts == [3_000_000]


def test_interrupting_the_kernel_stops_the_worker_too():
    beats = []

    def busy(y):
        while True:
            beats.append(1)

    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        verdict_on(busy, limit=30)
    timer.join()
    time.sleep(0.05)
    count = len(beats)
    time.sleep(0.05)
    assert len(beats) == count > 0


def test_run_hands_over_results_and_exceptions():
    assert run(lambda: 42, 10) == 42
    error = KeyError("x")

    def fail():
        raise error

    with pytest.raises(KeyError) as caught:
        run(fail, 10)
    assert caught.value is error


# ------------------------------------------------------------------ same() names the mistake
A = np.arange(1.0, 13.0).reshape(3, 4) ** 2 / 7
Z = np.linspace(-3, 3, 12).reshape(3, 4)
SHAPE = "the mean has shape"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the mean is None"),
        ("text", "the mean must hold real numbers, got 'text'"),
        ([[1, 2], [3]], "the mean must be an array of numbers, got list"),
        (1j * A, "the mean must hold real numbers, got ndarray of complex128"),
        (A.T, "the mean is transposed: swap its two axes"),
        (A[:2], f"{SHAPE} (2, 4), must have (3, 4): one too few along axis 0"),
        (
            A[..., None],
            f"{SHAPE} (3, 4, 1), must have (3, 4): an axis of length 1 too many, is keepdims or "
            "[:, None] left?",
        ),
        (
            A.sum(1),
            f"{SHAPE} (3,), must have (3, 4): axis 1 must stay, is a sum, a mean or an index taken "
            "along it?",
        ),
        (
            A.sum(0, keepdims=True),
            f"{SHAPE} (1, 4), must have (3, 4): axis 0 must keep its length, is a sum or a mean "
            "taken along it?",
        ),
        (
            np.stack([A, A]),
            f"{SHAPE} (2, 3, 4), must have (3, 4): axis 0 is too many, is a sum or a mean over it "
            "missing?",
        ),
        (
            5.0,
            f"{SHAPE} (), must have (3, 4): one number, where is the array? A sum or mean runs "
            "over too many axes",
        ),
        (A.T + 1, f"{SHAPE} (4, 3), must have (3, 4): the axes stand in another order"),
        (
            A.ravel(),
            f"{SHAPE} (12,), must have (3, 4): all numbers are there, in another arrangement",
        ),
        (np.vstack([A, A]), f"{SHAPE} (6, 4), must have (3, 4): 2 times too long along axis 0"),
        (np.ones((7, 5)), f"{SHAPE} (7, 5), must have (3, 4)"),
        ((A, A[0]), "return one thing, the mean: got a tuple of 2"),
        ((A,), "return one thing, the mean: got a tuple of 1"),
        (A.astype(int), "the mean has lost its fractions: is an array of integers used?"),
        (np.where(Z > 2.9, np.nan, A), "the mean is NaN for z = 3.0"),
        (np.where(Z > 2.9, -np.inf, A), "the mean is infinite for z = 3.0"),
        (-A, "the mean has the wrong sign"),
        (A * 11, "the mean is N = 11 times too large: is a mean missing?"),
        (A / 11, "the mean is N = 11 times too small: a mean instead of a sum?"),
        (A * 2.5, "the mean is 2.5 times what it must be, everywhere"),
        (A + 0.25, "the mean is too large by 0.25, everywhere"),
        (A - 0.25, "the mean is too small by 0.25, everywhere"),
        (np.roll(A, 1, axis=0), "the mean is shifted by one place"),
        (np.roll(A, -1, axis=0), "the mean is shifted by one place"),
        (np.where(Z > 2.9, 1.0, A), "the mean must be 20.57 for z = 3.0, got 1.0"),
        (A + (Z > 2.9) * 1e-4, "the mean must be 20.571429 for z = 3.0, got 20.571529"),
    ],
)
def test_same_names_the_mistake(value, message):
    with pytest.raises(Wrong) as caught:
        same(value, A, "the mean", given={"z": Z}, sizes={"N": 11})
    assert str(caught.value) == message


def test_same_accepts_what_is_close_enough():
    same(A * (1 + 1e-8), A, "x")
    same(A.astype("float32"), A, "x")
    same(A.tolist(), A, "x")
    same([np.inf, 1.0], [np.inf, 1.0], "x")
    with pytest.raises(Wrong):
        same(A * (1 + 1e-5), A, "x")
    same(A * (1 + 1e-5), A, "x", rtol=1e-4)


def test_same_transposed_squares_are_recognized():
    square = A[:, :3]
    with pytest.raises(Wrong, match="transposed"):
        same(square.T, square, "x")


def test_same_quotes_an_index_where_no_input_fits():
    with pytest.raises(Wrong, match=r"^x must be 2\.0 at \[1\], got 9\.0$"):
        same([1.0, 9.0, 5.0], [1.0, 2.0, 5.0], "x", given={"z": Z})
    with pytest.raises(Wrong, match=r"^x must be 2\.0, got 9\.0$"):
        same(9.0, 2.0, "x")


def test_same_compares_masks():
    mask = A > 5
    same(mask, mask, "the mask")
    with pytest.raises(Wrong, match=r"the mask must be 0\.0 at \[0, 0\], got 1\.0"):
        same(~mask, mask, "the mask")


def test_same_draws_no_pattern_from_a_single_number_or_a_constant():
    with pytest.raises(Wrong, match=r"must be 3\.0, got 6\.0"):
        same(6.0, 3.0, "x")
    with pytest.raises(Wrong, match=r"must be 3\.0 at \[0\], got 6\.0"):
        same([6.0, 6.0], [3.0, 3.0], "x")


def test_unpack_and_numbers_say_what_is_wanted():
    assert unpack([1, 2], "value", "derivative") == (1, 2)
    with pytest.raises(Wrong, match="return 2 things: value, derivative; got one ndarray"):
        unpack(np.ones(2), "value", "derivative")
    with pytest.raises(Wrong, match="return 2 things: value, derivative; got 3"):
        unpack((1, 2, 3), "value", "derivative")
    with pytest.raises(Wrong, match=r"w has shape \(3,\), must have \(2,\): one too many"):
        numbers([1, 2, 3], "w", (2,))
    with pytest.raises(Wrong, match="w must be finite, got nan"):
        numbers([1, np.nan], "w", (2,))


def test_sizes_are_all_different():
    for seed in range(50):
        drawn = sizes(np.random.default_rng(seed), 4)
        assert len(set(drawn)) == 4
        assert all(3 <= n <= 9 for n in drawn)


# ------------------------------------------------------------------ agree() names known mistakes
def made(reference, test):
    """An exercise on numbers: its check calls ``test(answer, x)`` for x = 1, 2, 3."""
    exercise = Exercise("77.1", reference, ("a", "b"), "why", is_value=False)

    @exercise.check
    def _(answer, rng):
        for x in (1.0, 2.0, 3.0):
            test(answer, np.array([x, x + 1]))

    return exercise


def doubling():
    """2x, with known mistakes; that of the square is seen as x + 2 by who looks at 2 alone."""
    exercise = made(lambda x: 2 * x, lambda answer, x: agree(answer, (x,), x + x, "the double"))
    exercise.mistakes(lambda x: {"this is the square": x**2, "2 is added": x + 2})

    @exercise.mistake("this cannot be made from 2 on")
    def picky(x):
        return np.linalg.inv(x) if x[0] >= 2 else 5 * x

    return exercise


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda x: x**2, "this is the square"),
        (lambda x: x + 2, "2 is added"),
        (lambda x: 5 * x, "the double is 2.5 times what it must be, on every input"),
        (lambda x: 5 * x if x[0] < 2 else np.linalg.inv(x), "this cannot be made from 2 on"),
        (lambda x: x**2 if x[0] < 2 else 2 * x, "the double must be 2.0 at [0], got 1.0"),
        (lambda x: x + 2 if x[0] < 2 else x**2, "the double must be 2.0 at [0], got 3.0"),
        (lambda x: x**2 if x[0] < 2 else np.inf * x, "the double must be 2.0 at [0], got 1.0"),
        (
            lambda x: x**2 if x[0] < 2 else np.linalg.inv(x),
            "the double must be 2.0 at [0], got 1.0",
        ),
        (lambda x: 2 * x if x[0] < 3 else x**2, "the double must be 6.0 at [0], got 9.0"),
    ],
)
def test_a_mistake_is_named_if_it_explains_every_input(answer, text):
    assert doubling().judge(answer, LIMIT).text == text


def test_every_registered_mistake_becomes_a_wrong_answer():
    exercise = doubling()
    texts = {w.message: exercise.judge(w.answer, LIMIT).text for w in exercise.wrong_answers()}
    assert list(texts) == ["this is the square", "2 is added", "this cannot be made from 2 on"]
    assert all(message == text for message, text in texts.items())


def test_a_mistake_that_shows_on_one_input_only_is_tried_on_a_second():
    inputs = []

    def test(answer, x):
        x = x + len(inputs) / 8
        inputs.append(x)
        agree(answer, (x,), np.abs(x - 2))

    exercise = made(lambda x: np.abs(x - 2), test)
    exercise.mistakes(lambda x: {"the sign is lost": x - 2})
    assert exercise.judge(lambda x: x - 2, LIMIT).text == "the sign is lost"
    assert len(inputs) == 4  # wrong at the first; three more were tried until it was wrong again


def test_the_same_input_twice_is_one_input():
    exercise = made(lambda x: np.abs(x - 2), lambda answer, x: agree(answer, (x,), np.abs(x - 2)))
    exercise.mistakes(lambda x: {"the sign is lost": x - 2})
    text = exercise.judge(lambda x: x - 2, LIMIT).text
    assert text == "the result must be 1.0 at [0], got -1.0"


def test_of_two_mistakes_that_look_alike_the_check_waits_for_an_input_that_tells_them_apart():
    exercise = doubling()
    exercise.mistakes(lambda x: {"the square, until 3": x**2 + (x[0] > 2)})
    assert exercise.judge(lambda x: x**2 + (x[0] > 2), LIMIT).text == "the square, until 3"
    assert exercise.judge(lambda x: x**2, LIMIT).text == "this is the square"


def test_results_that_are_not_finite_are_one_mistake():
    exercise = made(lambda x: x, lambda answer, x: agree(answer, (x,), x))
    exercise.mistakes(lambda x: {"0/0": 0 * x / 0})
    assert exercise.judge(lambda x: x / 0, LIMIT).text == "0/0"
    assert exercise.judge(lambda x: np.array([np.nan, 1]), LIMIT).text == "the result is NaN at [0]"


def two_results():
    def test(answer, x):
        agree(
            answer, (x,), {"the value": x**2, "the slope": x + x}, order=("the slope", "the value")
        )

    exercise = made(lambda x: (x**2, 2 * x), test)
    exercise.mistakes(
        lambda x: {
            "{part} is halved": (x**2 / 2, x),
            "the value is the cube": (x**3, ...),
            "the pair is swapped": (2 * x, x**2),
            "both are the square": (x**2, x**2),
        }
    )
    return exercise


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda x: (x**2, x), "the slope is halved"),
        (lambda x: (x**2 / 2, 2 * x), "the value is halved"),
        (lambda x: (x**2 / 2, x), "the slope is halved"),  # both: the first that is looked at
        (lambda x: (x**3, 2 * x), "the value is the cube"),
        (lambda x: (2 * x, x**2), "the pair is swapped"),
        (lambda x: (x**2, x**2), "both are the square"),  # explains more than the swapped pair
        (lambda x: (7 * x**2, 2 * x), "the value is 7 times what it must be, on every input"),
        (lambda x: x, "return 2 things: value, slope; got one ndarray"),
    ],
)
def test_a_mistake_in_one_of_several_results_is_named(answer, text):
    assert two_results().judge(answer, LIMIT).text == text


def test_inputs_are_quoted_on_request():
    def test(answer, x):
        agree(answer, (x, 3), x * 3, "the product", quote="all")

    def product(x, n):
        return x * n

    exercise = made(product, test)
    exercise.mistakes(lambda x, n: {"add it up": x + n})
    assert exercise.judge(lambda x, n: x + n, LIMIT).text == "add it up (x = [1.0, 2.0], n = 3)"
    assert exercise.judge(lambda x, n: np.sin(x**3 + n), LIMIT).text == (
        "product(np.array([2.0, 3.0]), 3) gives [-1.0, -0.988], must give [6.0, 9.0]"
    )


def test_a_table_that_fails_on_an_input_is_told_to_its_author_not_to_the_learner():
    exercise = doubling()
    exercise.mistakes(lambda x: {"never": np.linalg.inv(x)})
    assert exercise.judge(lambda x: x**2, LIMIT).text == "this is the square"
    with pytest.raises(np.linalg.LinAlgError):
        exercise.wrong_answers()


# ------------------------------------------------------------------ chapter 01: more right answers
@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("01.3", lambda z: np.exp(-np.logaddexp(0, -z))),
        ("01.5", lambda x, t, w, b: [(w, b), (w + t * x, b + t)][int(t * (x @ w + b) <= 0)]),
        ("01.7", [0.3, 0.4, -0.6]),
        ("01.8", (-np.ones((2, 2)), np.array([1.5, 0.5]), np.array([1.0, -1.0]), -0.5)),
        ("01.8", ([[1, -1], [-1, 1]], [-0.5, -0.5], [1, 1], -0.5)),
        ("01.9", np.array([-2.25, -2.25, 1.5, -0.1])),
        ("01.10", lambda images: images[:, 14, 14]),
        ("01.10", lambda images: -np.abs(np.diff(images[:, 14] > 0.4, axis=1)).sum(axis=1)),
    ],
)
def test_other_right_answers_pass(id, answer):
    assert verdict_on(answer, id=id).mark == "✔"


# ------------------------------------------------------------------ chapter 11: libraries
def test_words_are_cut_into_the_pieces_of_the_library():
    models = pytest.importorskip("tokenizers.models", reason="needs tokenizers")
    rng = np.random.default_rng(0)
    letters = "abc"
    for _ in range(50):
        parts = {"".join(letters[k] for k in rng.integers(3, size=rng.integers(1, 4)))
                 for _ in range(8)}  # fmt: skip
        known = ["[UNK]", *parts, *(f"##{part[::-1]}" for part in parts)]
        vocabulary = {piece: number for number, piece in enumerate(known)}
        library = models.WordPiece(vocabulary, unk_token="[UNK]")
        word = "".join(letters[k] for k in rng.integers(3, size=7))
        expected = [token.id for token in library.tokenize(word)]
        assert find("11.1").reference(word, vocabulary) == expected


@pytest.mark.parametrize("queries", [1, 3, 7])
def test_repaired_attention_is_pytorchs(queries):
    import torch

    Q, K, V = (torch.randn(n, d, dtype=torch.float64) for n, d in ((queries, 4), (7, 4), (7, 3)))
    mask = torch.ones(queries, 7, dtype=torch.bool).tril(7 - queries)
    expected = torch.nn.functional.scaled_dot_product_attention(Q, K, V, attn_mask=mask)
    ours = find("11.2").reference(*(x.numpy() for x in (Q, K, V)))
    np.testing.assert_allclose(ours, expected.numpy(), rtol=1e-12)


def test_neighbors_turn_as_the_chapters_halves_do():
    import torch

    from utils.models.transformer import angles
    from utils.models.transformer import rotate as by_halves

    x, positions = torch.randn(5, 6, dtype=torch.float64), torch.tensor([3, 0, 7, 1, 40])
    halves = torch.cat([x[:, ::2], x[:, 1::2]], dim=1)
    turned = by_halves(halves, angles(positions, 6))
    expected = torch.stack(turned.chunk(2, dim=1), dim=2).flatten(1)
    ours = find("11.3").reference(x.numpy(), positions.numpy())
    np.testing.assert_allclose(ours, expected.numpy(), rtol=1e-12)


def test_scores_of_turned_rows_depend_on_their_distance_alone():
    rotate, rng = find("11.3").reference, np.random.default_rng(0)
    q, k = rng.normal(size=(2, 1, 8))
    scores = [
        (rotate(q, np.array([p + 3])) @ rotate(k, np.array([p])).T).item() for p in (0, 5, 900)
    ]
    np.testing.assert_allclose(scores, scores[0], rtol=1e-9)


@pytest.mark.parametrize("top_p", [0.3, 0.7, 0.95, 1.0])
def test_the_nucleus_is_that_of_the_chapters_model(top_p):
    import torch

    from utils.models.transformer import next_probabilities

    p = torch.randn(20, dtype=torch.float64).softmax(0)
    expected = next_probabilities(p.log(), top_p=top_p)
    np.testing.assert_allclose(find("11.5").reference(p.numpy(), top_p), expected, rtol=1e-9)


def test_the_test_for_leaks_agrees_about_the_chapters_model():
    import torch

    from utils.models.transformer import GPT

    gpt = GPT(50, d=16, layers=1, heads=2).eval()

    def scores(tokens, model=gpt):
        with torch.no_grad():
            return model(torch.from_numpy(tokens)[None])[0].numpy()

    def without_mask(tokens):
        with torch.no_grad():
            x = gpt.tokens(torch.from_numpy(tokens)[None])
            return gpt.blocks[0](x)[0].numpy()

    assert find("11.4").reference(lambda tokens: 3 + np.tanh(scores(tokens))) is False
    assert find("11.4").reference(without_mask) is True


def test_what_an_adapter_leaves_is_what_the_other_singular_values_hold():
    import torch

    change = torch.randn(7, 5, dtype=torch.float64)
    A, B = find("11.11").reference(change, 2, 6.0)
    left = torch.linalg.matrix_norm(change - 3 * B @ A)
    rest = torch.linalg.svdvals(change)[2:]
    torch.testing.assert_close(left, torch.linalg.vector_norm(rest))


def test_other_right_answers_to_chapter_11_pass():
    def longer(tags):
        """The last word's tag goes on into the word outside behind it, where there is one."""
        given = tags.copy()
        for i in np.flatnonzero(tags):
            last = i + 1 == len(tags) or tags[i + 1] == 0 or tags[i + 1] % 2
            if last and i + 1 < len(tags) and tags[i + 1] == 0:
                given[i + 1] = tags[i] + tags[i] % 2
            elif last:
                given[i] = 0
        return given

    def in_the_rows(change, rank, alpha):
        import torch

        U, S, V = torch.svd(change)
        half = S[:rank].sqrt() * (rank / alpha) ** 0.5
        return (V[:, :rank] * half).T, U[:, :rank] * half

    def by_one_change(model):
        rng = np.random.default_rng(1)
        for length in [64] * 6 + [2, 41, 50]:
            tokens = rng.integers(50, size=length)
            tokens[-1] = 0
            if not all(np.allclose(model(tokens)[:t], model(tokens[:t])) for t in range(1, length)):
                return True
        return False

    assert verdict_on(longer, id="11.10").mark == "✔"
    assert verdict_on(in_the_rows, id="11.11").mark == "✔"
    assert verdict_on(by_one_change, id="11.4").mark == "✔"


# ------------------------------------------------------------------ chapters 08 and 09: PyTorch
def test_a_deviation_with_n_minus_1_standardizes_as_well():
    def sample(train, test):
        mean, deviation = train.mean(axis=0), train.std(axis=0, ddof=1)
        return (train - mean) / deviation, (test - mean) / deviation

    assert verdict_on(sample, id="04.8").mark == "✔"


@each([e for e in FUNCTIONS if e.id != "01.3"])
def test_a_solution_that_computes_in_float32_is_right(exercise):
    def single(*args):
        return exercise.reference(
            *(a.astype(np.float32) if getattr(a, "dtype", None) == np.float64 else a for a in args)
        )

    assert exercise.judge(single, LIMIT).mark == "✔"


@pytest.mark.parametrize("size", [(2, 3), (4, 4), (1, 5)])
def test_recurrent_layers_have_the_weights_that_pytorch_counts(size):
    import torch

    layers = [getattr(torch.nn, name)(*size) for name in ("RNN", "GRU", "LSTM")]
    counts = [sum(p.numel() for p in layer.parameters()) for layer in layers]
    assert find("08.3").reference(size)[0] == counts[0]
    assert find("09.2").reference(size).tolist() == counts


# ------------------------------------------------------------------ chapter 14: PyTorch, other ways
@pytest.mark.parametrize(("height", "width"), [(8, 6), (7, 9), (5, 8)])
def test_the_convolution_in_tensorflow_is_pytorchs(height, width):
    import torch

    rng = np.random.default_rng(0)
    x, weight, bias = (
        rng.normal(size=(2, height, width, 3)),
        rng.normal(size=(5, 3, 4, 4)),
        np.ones(5),
    )
    args = (torch.from_numpy(a) for a in (np.moveaxis(x, -1, 1), weight, bias))
    expected = torch.nn.functional.conv2d(*args, stride=2, padding=1).numpy()
    ours = find("14.11").reference(x, weight, bias)
    np.testing.assert_allclose(ours, np.moveaxis(expected, 1, -1), rtol=1e-10)


@pytest.mark.parametrize("layers", [((4, 2), (4, 2), (4, 1)), ((3, 1), (5, 3)), ((2, 2), (3, 2))])
def test_a_patch_is_where_the_gradient_of_a_score_is_not_zero(layers):
    import torch

    net = torch.nn.Sequential(*(torch.nn.Conv2d(1, 1, k, s, padding=1) for k, s in layers))
    for p in net.parameters():
        torch.nn.init.ones_(p)
    seen = []
    for score in (4, 5):
        x = torch.zeros(1, 1, 70, 70, requires_grad=True)
        net(x)[0, 0, 4, score].backward()
        seen.append(np.flatnonzero(x.grad[0, 0].any(dim=0).numpy()))
    first, following = seen
    assert find("14.2").reference(np.array(layers)) == (len(first), following[0] - first[0])


def test_other_right_answers_to_chapter_14_pass():
    from scipy import ndimage

    def labeled(outline, i, j):
        regions, _ = ndimage.label(outline >= 0.5)
        return (regions == regions[i, j]) & (outline >= 0.5)

    def halves_exchanged(images):
        return np.roll(images, 16, axis=1)

    def sorted_by_hand(colors, counts):
        order = np.sort(np.repeat(colors, counts, axis=0), axis=0)
        return order[len(order) // 2], counts @ colors / counts.sum()

    assert verdict_on(labeled, id="14.9").mark == "✔"
    assert verdict_on((halves_exchanged, halves_exchanged), id="14.10").mark == "✔"
    assert verdict_on(sorted_by_hand, id="14.4").mark == "✔"


def test_functions_within_a_value_are_told_apart_from_stubs():
    assert verdict_on((lambda images: None, lambda images: None), id="14.10").mark == "○"
    told = verdict_on((lambda images: images / 0, lambda images: images), id="14.10").text
    assert "the result of there" in told


# ------------------------------------------------------------------ what no table foresees
def affine():
    """x·w + b, summed over the second axis of x; its check draws three sizes."""

    def weighted(x, w, b):
        return (x * w).sum(axis=1) - b

    def test(answer, rng):
        for _ in range(3):
            n, d = sizes(rng, 2)
            x, w, b = rng.normal(size=(n, d)), rng.normal(size=d), float(rng.normal())
            agree(answer, (x, w, b), x @ w - b, "the scores")

    exercise = Exercise("77.1", weighted, ("a", "b"), "why", is_value=False)
    exercise.check(test)
    return exercise


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda x, w, b: b - x @ w, "the scores have the wrong sign"),
        (lambda x, w, b: np.abs(x @ w - b), "the scores have lost their sign"),
        (lambda x, w, b: 2 * (x @ w - b), "the scores are twice what they must be"),
        (lambda x, w, b: (x @ w - b) / len(x), "the scores are x.shape[0] times too small"),
        (lambda x, w, b: (x @ w - b)[::-1], "the scores are in reverse order"),
        (lambda x, w, b: (x @ w - b).mean(), "the scores are averaged"),
        (lambda x, w, b: np.round(x @ w - b), "the scores are rounded to whole numbers"),
        (lambda x, w, b: x @ w, "b is not used: the result is that for b = 0"),
        (lambda x, w, b: x @ w - 0.5, "the result is that for b = 0.5: is 0.5 written there?"),
        (lambda x, w, b: x @ w - 2 * b, "2·b is used where b belongs"),
        (lambda x, w, b: x @ w + b, "a + stands where a − belongs"),
        (lambda x, w, b: (x * w).mean(axis=1) - b, "a mean is taken where a sum belongs"),
        (lambda x, w, b: x @ w[::-1] - b, "w is reversed"),
        (lambda x, w, b: np.tanh(x @ w - b), "a tanh is applied to the scores at the end"),
        (lambda x, w, b: np.arange(len(x)), "weighted(np.array("),
        (lambda x, w, b: x @ w - b + b**3 * x[:, 0], "weighted(np.array("),
    ],
)
def test_a_result_is_held_against_the_truth_and_the_inputs(answer, text):
    verdict = affine().judge(answer, LIMIT)
    assert verdict.mark == "✘"
    assert text in verdict.text
    if text.startswith("weighted("):
        assert verdict.text.startswith(text)
        assert ") gives [" in verdict.text
        assert ", must give [" in verdict.text


def test_the_call_in_a_message_can_be_pasted_and_shows_the_failure():
    exercise = affine()

    def wrong(x, w, b):
        return x @ w - b + b**3 * x[:, 0]

    text = exercise.judge(wrong, LIMIT).text
    call, came, due = re.fullmatch(r"(weighted\(.*\)) gives (.*), must give (.*)", text).groups()
    for function, shown in ((wrong, came), (exercise.reference, due)):
        np.testing.assert_allclose(eval(call, {"np": np, "weighted": function}), eval(shown), 1e-3)
    assert len(call) < 100


def test_a_cause_that_fits_one_input_only_is_not_named():
    def answer(x, w, b):
        right = x @ w - b
        return 2 * right if len(x) == answer.first else right + x[:, 0] ** 3

    answer.first = None

    def counted(x, w, b):
        answer.first = answer.first or len(x)
        return answer(x, w, b)

    assert affine().judge(counted, LIMIT).text.startswith("weighted(")


def test_two_causes_that_fit_all_inputs_are_told_as_a_pair():
    def difference(a, b):
        return a - b

    def test(answer, rng):
        for _ in range(2):
            a, b = rng.normal(size=(2, *sizes(rng, 1)))
            agree(answer, (a, b), a - b, "the result")

    exercise = Exercise("77.1", difference, ("a", "b"), "why", is_value=False)
    exercise.check(test)
    assert exercise.judge(lambda a, b: a + b, LIMIT).text == (
        "b has the wrong sign; or: a + stands where a − belongs"
    )


def test_few_whole_numbers_are_no_proof():
    def count(x):
        return int((x > 0).sum())

    def test(answer, rng):
        for x in (np.array([1.0, -1.0]), np.array([2.0, 3.0])):
            agree(answer, (x,), count(x), "the number")

    exercise = Exercise("77.1", count, ("a", "b"), "why", is_value=False)
    exercise.check(test)
    assert exercise.judge(lambda x: 2 * count(x), LIMIT).text == (
        "count(np.array([2.0, 3.0])) gives 4, must give 2"
    )


def test_numbers_of_the_answers_own_chance_are_named():
    text = affine().judge(lambda x, w, b: np.random.default_rng().normal(size=len(x)), LIMIT).text
    assert text.startswith("the same input gives another result each time")
    text = affine().judge(lambda x, w, b: ["high"] * len(x), LIMIT).text
    assert "must hold real numbers" in text  # words are no chance


def test_whole_numbers_and_the_order_in_memory_must_not_matter():
    def whole(x, w, b):
        halves = np.zeros_like(x)
        halves[...] = x * w / 2
        return 2 * halves.sum(axis=1) - b

    def memory(x, w, b):
        rows = np.lib.stride_tricks.as_strided(x, strides=(8 * x.shape[1], 8))
        return rows @ w - b

    text = affine().judge(whole, LIMIT).text
    assert text.startswith("an array of whole numbers goes wrong")
    assert affine().judge(memory, LIMIT).text.startswith("the result depends on the order")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda x, w, b: x @ w - b if x > 0 else 0, "an `if` cannot decide for a whole array"),
        (lambda x, w, b: x + x.sum(axis=1), "do not fit entry by entry"),
        (lambda x, w, b: w @ x, "which must be equal"),
        (lambda x, w, b: x[:, 100], "is beyond axis 1"),
        (lambda x, w, b: x.sum(axis=2), "there is no axis 2"),
        (lambda x, w, b: x @ w - c, "c is not defined"),  # noqa: F821 - the mistake
        (lambda x, w, b: x[: b * 1.5], "must be a whole number"),
        (lambda x, w, b: (x > 0) - (x < 0), "truth values cannot be subtracted"),
    ],
)
def test_an_exception_comes_with_advice_and_its_line(answer, text):
    told = affine().judge(answer, LIMIT).text
    assert text in told
    assert re.search(
        r"\((ValueError|IndexError|AxisError|NameError|TypeError)\) \(line \d+: ", told
    )


def test_verbs_agree_with_the_name():
    for name, be in (
        ("the scores", "are"),
        ("the loss", "is"),
        ("lse of rows", "is"),
        ("dX", "is"),
    ):
        assert grammar(name)["be"] == be


@each(FUNCTIONS)
def test_the_slips_of_a_solution_are_made_and_told(exercise):
    made = slips(exercise.reference)
    source = inspect.getsource(exercise.reference)
    assert made or "while " in source
    assert all(slip.text and "{" not in slip.text for slip in made)


def test_an_example_with_numbers_comes_before_one_without():
    def halves(x):
        return x / 2

    def test(answer, rng):
        for x in (np.array([]), rng.normal(size=3)):
            agree(answer, (x,), x / 2, "the halves")

    exercise = Exercise("77.1", halves, ("a", "b"), "why", is_value=False)
    exercise.check(test)
    text = exercise.judge(lambda x: np.append(x**3, [1.0, x.sum()]), LIMIT).text
    assert "np.array([])" not in text
    assert text.startswith("the halves have shape (5,), must have (3,)")


def test_one_number_in_place_of_an_array_is_asked_for():
    with pytest.raises(Wrong, match=r"^the mean must be one number, has shape \(3, 4\): is a sum"):
        same(A, 1.0, "the mean")
