"""The template is filled strictly; text from data cannot break out of its place."""

from __future__ import annotations

import re
from string import Template

import pytest
import yaml

from adata_assets.errors import InputError
from adata_assets.hub.card_parts import CardFrontMatter, code_blocks, placeholders, render_card
from adata_assets.hub.markdown import code_span, escape_markdown, table

YAML = CardFrontMatter("language:\n- code\n")
SEED_NAMES = (
    "dataset_type_explanation",
    "cs_length",
    "example_data_formatted",
    "example_share_link",
    "embedding_generation",
    "repo_id",
)


def _values(**changed: str) -> dict[str, str]:
    values = {name: f"value of {name}" for name in placeholders()}
    values |= {"repo_id": "owner/cells", "first_split": "test"}
    values["example_share_link"] = "http://127.0.0.1:8765/demo/a.h5ad"
    return {**values, **changed}


def test_s1_the_card_begins_with_its_yaml() -> None:
    """S1: three dashes, YAML, three dashes."""
    card = render_card(front_matter=YAML, values=_values())
    _, fields, body = card.split("---\n", 2)
    assert yaml.safe_load(fields) == {"language": ["code"]}
    assert body.lstrip().startswith("# value of title\n")


def test_the_promised_placeholders_are_in_the_template() -> None:
    assert set(SEED_NAMES) <= set(placeholders())
    card = render_card(front_matter=YAML, values=_values())
    for name in set(placeholders()) - {"repo_id", "first_split", "example_share_link"}:
        assert re.search(rf"value of \\?{name}", card)


def test_p7_a_missing_value_is_an_error() -> None:
    """P7: the old card was filled leniently and showed a literal "$cs_length"."""
    values = _values()
    del values["cs_length"]
    old = Template("a length of $cs_length genes").safe_substitute(values)
    assert "$cs_length" in old
    with pytest.raises(InputError, match="cs_length"):
        render_card(front_matter=YAML, values=values)


def test_an_unused_value_is_an_error() -> None:
    with pytest.raises(InputError, match="cs_lenght"):
        render_card(front_matter=YAML, values=_values(cs_lenght="100"))


@pytest.mark.parametrize("name", sorted(set(placeholders()) - {"description"}))
def test_an_empty_value_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match=name):
        render_card(front_matter=YAML, values=_values(**{name: " "}))


@pytest.mark.parametrize("template", ["$a $$b", "$a costs $ 5", "$a $1", "$a ${b", "$a $"])
def test_p7_a_template_that_would_leave_a_dollar_is_refused(template: str) -> None:
    """P7: no literal "$name" comes from the template, by whatever spelling."""
    with pytest.raises(InputError, match="remove it"):
        render_card(front_matter=YAML, values={"a": "x"}, template=template)


def test_a_dollar_in_a_value_stays_as_it_is() -> None:
    card = render_card(front_matter=YAML, values=_values(source_section="$repo_id $x 5$ $$"))
    assert "$repo_id $x 5$ $$" in card


def test_s15_two_python_blocks_with_the_real_names() -> None:
    """S15: the id and the first split's name stand in the code."""
    blocks = code_blocks(render_card(front_matter=YAML, values=_values()))
    assert len(blocks) == 2
    assert 'load_dataset("owner/cells")' in blocks[0]
    assert 'dataset["test"][0]' in blocks[1]
    for block in blocks:
        compile(block, "card", "exec")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repo_id", 'x"); import os; ("'),
        ("repo_id", "/absolute/path"),
        ("repo_id", "a/b\n"),
        ("first_split", 'train"][0]; x["'),
        ("example_share_link", "/local/path.h5ad"),
        ("example_share_link", "https://x.org/<script>"),
        ("example_data_formatted", "a: 1\n```\n# out"),
    ],
)
def test_s10_a_value_cannot_leave_its_place(name: str, value: str) -> None:
    """S10, P16: no absolute path, nothing that ends the code or the block."""
    with pytest.raises(InputError, match=name):
        render_card(front_matter=YAML, values=_values(**{name: value}))


def test_title_and_description_are_plain_text() -> None:
    values = _values(title="T <b>\n# x", description="```python\nevil()\n```\n- <script>\n1. y")
    card = render_card(front_matter=YAML, values=values)
    assert len(code_blocks(card)) == 2
    assert "# T &lt;b&gt; \\# x\n" in card
    assert "<script>" not in card
    assert not re.search(r"<b>|^1\. |^- &lt;", card, flags=re.MULTILINE)


def test_the_card_says_what_files_hold() -> None:
    """S12, C10, C11 in the reader's words."""
    card = " ".join(render_card(front_matter=YAML, values=_values()).split())
    assert "both hold the same cells" in card
    assert "only its chunk's subset" in card
    assert "the bytes behind a link do not change" in card
    assert "without login" in card


def test_escaping() -> None:
    assert escape_markdown("https://x.org/a_b 3. y 10.1") == "https://x.org/a_b 3. y 10.1"
    assert escape_markdown("3. y") == "3\\. y"
    assert escape_markdown("_a_ [x](y)") == "\\_a\\_ \\[x\\](y)"
    assert code_span("a``b\nc") == "``` a``b c ```"
    assert table(["a", "n"], [["x|y", "1"]]).splitlines()[-1] == "| x\\|y | 1 |"
