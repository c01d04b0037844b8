"""Names find runtimes; what cannot be found or read is one line that says what to do."""

from pathlib import Path

import pytest

from opconform import __version__
from opconform.harness import registry
from opconform.harness.claim_values import CLAIMS, claimed_values
from opconform.harness.manifest import ManifestError, load_manifest
from opconform.harness.runtime import Limit, Manifest, Unavailable

FAKES = Path(__file__).parents[1] / "fakes" / "fakes.py"


def test_a_bare_name_means_the_default_of_the_manifest() -> None:
    handle = registry.resolve("litert")
    assert (handle.label, handle.target, handle.default) == ("litert@ref", "host", True)


def test_without_a_default_a_bare_name_means_the_first_target() -> None:
    assert registry.resolve("lite").label == "lite@host"
    assert registry.resolve("micro").label == "micro@host"


def test_a_variant_is_chosen_behind_the_at_sign() -> None:
    handle = registry.resolve("litert@xnnpack")
    assert (handle.label, handle.at, handle.default) == ("litert@xnnpack", "xnnpack", False)


def test_the_manifest_of_a_package_carries_its_version() -> None:
    assert registry.resolve("litert").manifest.version.count(".") >= 1


def test_a_runtime_of_this_package_has_the_version_of_its_code() -> None:
    assert registry.resolve("lite").manifest.version == __version__


def test_a_runtime_of_another_package_has_the_version_of_that_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, told = tmp_path / "mine_engine", tmp_path / "mine_engine-7.1.dist-info"
    package.mkdir()
    told.mkdir()
    (package / "__init__.py").touch()
    (package / "runtime.yaml").write_text("name: mine\nsummary: of a package of its own\nrows: [ADD/float32]\n")
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: mine-engine\nVersion: 7.1\n")
    (told / "entry_points.txt").write_text("[opconform.runtimes]\nmine = mine_engine:Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.resolve("mine").manifest.version == "7.1"


def test_an_unknown_runtime_lists_the_known_ones() -> None:
    with pytest.raises(
        registry.UnknownRuntime, match=r"unknown runtime 'lightrt', known are .*litert.*tflm.*exec:COMMAND"
    ):
        registry.resolve("lightrt")


def test_an_unknown_variant_lists_the_allowed_ones() -> None:
    with pytest.raises(registry.UnknownRuntime, match="litert has no 'gpu', allowed are ref builtin xnnpack host"):
        registry.resolve("litert@gpu")


def test_a_class_in_a_file_is_a_runtime() -> None:
    handle = registry.resolve(f"{FAKES}:Forgetful")
    assert handle.label == "forgetful@host"
    assert handle.instantiate().describe().name == "forgetful"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("no/such/file.py:Class", "there is no file no/such/file.py"),
        (f"{FAKES}:Missing", "no class 'Missing', its runtimes are .*Forgetful"),
        ("exec:", "no command, write exec:COMMAND"),
        ("exec:'open", "No closing quotation; quote the command as for a shell"),
    ],
)
def test_a_source_that_leads_nowhere_says_why(source: str, words: str) -> None:
    with pytest.raises(registry.UnknownRuntime, match=words):
        registry.resolve(source)


def test_a_command_is_split_as_a_shell_does() -> None:
    handle = registry.resolve("exec:sh -c 'exit 3' a@b")
    assert handle.command == ("sh", "-c", "exit 3", "a@b")
    assert handle.label == "sh@host"


def test_a_missing_program_is_unavailable_by_name() -> None:
    assert "there is no program './no_worker'" in registry.resolve("exec:./no_worker").unavailable


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_version", lambda distribution: "")
    registry._card_of.cache_clear()
    handle = registry.resolve("tflm")
    registry._card_of.cache_clear()
    assert handle.unavailable.startswith(
        "tflm: the package tflite-micro is missing; run: pip install 'opconform[tflm]'"
    )


def test_a_missing_module_is_unavailable_not_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tflite_micro.python.tflite_micro._runtime", None)
    with pytest.raises(Unavailable, match=r"tflm: .*pip install 'opconform\[tflm\]'"):
        registry.resolve("tflm").instantiate().warm()  # type: ignore[attr-defined]


def test_claims_are_globs_over_op_and_row() -> None:
    manifest = Manifest(name="x", rows=("CONV_*", "ADD/int8", "MUL/*"), except_rows=("*/int16*", "CONV_3D"))
    claimed = {
        (op, row)
        for op in ("CONV_2D", "CONV_3D", "ADD", "MUL", "DIV")
        for row in ("int8", "int16x8", "float32")
        if registry.claims_row(manifest, op, row)
    }
    assert claimed == {
        ("CONV_2D", "int8"),
        ("CONV_2D", "float32"),
        ("ADD", "int8"),
        ("MUL", "int8"),
        ("MUL", "float32"),
    }


WHOLE = """\
name: mine
summary: "a test"
targets: [host, cortex-m4]
arithmetic: double_rounding
rows: ["ADD/*"]
except_rows: [ADD/int64]
limits:
  - {rows: "ADD/*", when: "rank(A) > 4", why: four nested loops}
"""
CLAIMED = """\
claims:
  training: false
  inference: true
  ops: 3
  native_quantization: true
  os_independence: false
  memory_mapped_models: false
  delegation: false
  distributed_compute: false
  binary_size: 100 KB
  base_memory: 1.5 MB
  fixed_weights: true
  fixed_topology: true
"""


def test_a_manifest_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "runtime.yaml"
    file.write_text(WHOLE + CLAIMED)
    manifest = load_manifest(file)
    assert (manifest.name, manifest.targets, manifest.arithmetic) == ("mine", ("host", "cortex-m4"), "double_rounding")
    assert manifest.limits == (Limit("ADD/*", "rank(A) > 4", "four nested loops"),)
    claims = claimed_values(manifest.claims)
    assert (claims["ops"], claims["training"], claims["inference"]) == (3, False, True)
    assert (claims["binary_size"], claims["base_memory"]) == (100 * 1024, 1536 * 1024)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: the file is empty"),
        ("summary: x\n", ":1: there is no name"),
        ("name: x\nname: y\n", ":2: key 'name' stands twice"),
        ("name: x\ntargts: [host]\n", ":2: unknown key 'targts', allowed are name summary targets"),
        ("name: x\ntargets: host\n", ":2: targets: 'host' is no list"),
        ("name: 3\n", ":1: name: 3 is no text; put it in quotes"),
        ("name: x\nrows: [1.5]\n", ":2: rows: 1.5 is no text"),
        ("name: x\narithmetic: exact\n", ":2: arithmetic: 'exact', allowed are unspecified double_rounding"),
        ("name: x\nvectors: 2\n", ":2: vectors: 2 is no text"),
        ("name: x\nvectors: few\n", ":2: vectors: 'few', allowed are all least"),
        ("name: x\nlimits: [{rows: a, when: b}]\n", ":2: limits: a limit lacks why"),
        ("name: x\nlimits: [{rows: a, wen: b}]\n", ":2: unknown key 'wen', allowed are rows when why"),
        ("name: x\narithmetic: single_rounding\n", ":2: arithmetic: 'single_rounding', allowed are unspecified"),
        ("name: x\nlimits: [{rows: a, when: 'rank(', why: c}]\n", ":2: limits: a: 'rank(' is not an expression"),
        ("name: x\nlimits: [{rows: a, when: '', why: c}]\n", ":2: limits: when: '', want a text"),
        ("name: x\nvariants: [a]\ndefault: b\n", ":3: default: 'b', allowed are host a"),
        ("name: [\n", "not valid YAML"),
        ("- a\n", ":1: a mapping of keys is needed"),
        ("name: x\nclaims: {a: [1]}\n", ":2: unknown key 'a', allowed are training inference ops"),
        ("name: x\nclaims: {ops: 3}\n", ":2: claims: missing training inference native_quantization"),
        ("name: x\nclaims: {training: 1}\n", ":2: training: 1, allowed is true or false"),
        ("name: x\nclaims: {ops: true}\n", ":2: ops: True, allowed is a number of operators"),
        ("name: x\nclaims: {ops: [1]}\n", ":2: ops: [1], allowed is a number of operators"),
        ("name: x\nclaims: {ops: -1}\n", ":2: ops: -1, allowed is a number of operators"),
        ("name: x\nclaims: {binary_size: 100}\n", ":2: binary_size: 100 is no size; write a number and B, KB"),
        ("name: x\nclaims: {base_memory: 3 kg}\n", ":2: base_memory: '3 kg' is no size"),
        ("name: !!python/object:os.system x\n", "is not allowed; write plain data"),
    ],
)
def test_a_spoilt_manifest_is_one_line_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "runtime.yaml"
    file.write_text(text)
    with pytest.raises(ManifestError) as caught:
        load_manifest(file)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_that_says_something_of_one_claim_only_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "boaster.py"
    file.write_text(
        "from opconform.harness.runtime import Manifest\n\n"
        "class Boaster:\n"
        "    def __init__(self, at=''): pass\n"
        "    def describe(self): return Manifest(name='boaster', claims={'ops': 'many', 'speed': 9})\n"
        "    def open(self, model): pass\n"
    )
    with pytest.raises(ManifestError, match="claims: unknown 'speed', missing training inference native_") as caught:
        registry.resolve(f"{file}:Boaster")
    assert "\n" not in str(caught.value)
    assert all(claim in str(caught.value) for claim in CLAIMS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("name='two words'", "its name is 'two words'; letters, digits, _ . - are allowed"),
        ("name='x', rows='ADD'", "rows: 'ADD', want a tuple of texts"),
        ("name='x', rows=('ADD', 3)", "rows: ('ADD', 3), want a tuple of texts"),
        ("name='x', targets='host'", "targets: 'host', want a tuple of texts"),
        ("name='x', targets=()", "targets: none, at least one is needed"),
        ("name='x', arithmetic='exact'", "arithmetic: 'exact', allowed are unspecified double_rounding"),
        ("name='x', vectors=2", "vectors: 2, allowed are all least"),
        ("name='x', limits=(('ADD', 'True', 'why'),)", "limits: ('ADD', 'True', 'why'), want Limit(rows, when, why)"),
        ("name='x', limits=(Limit('ADD', 'rank(', 'why'),)", "limits: ADD: 'rank(' is not an expression"),
        ("name='x', limits=(Limit('ADD', 'True', ''),)", "limits: why: '', want a text"),
        ("name='x', limits=3", "limits: 3, want a tuple of limits"),
        ("name='x', claims={'ops': 3}", "claims: missing training"),
    ],
)
def test_what_a_class_says_of_itself_is_checked_as_a_manifest_is(tmp_path: Path, given: str, words: str) -> None:
    file = tmp_path / "vendor.py"
    file.write_text(
        "from opconform.harness.runtime import Limit, Manifest\n"
        f"class Vendor:\n    def __init__(self, at=''): pass\n    def describe(self): return Manifest({given})\n"
    )
    with pytest.raises(ManifestError) as caught:
        registry.resolve(f"{file}:Vendor")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
