//! Known models are described rightly, and an operator's word stands above ours.

use super::*;
use crate::llm::Model;

fn sheet_with(own: &str, id: &str) -> Sheet {
    let own: File = toml::from_str(own).unwrap();
    let listed = Listed { id: id.to_owned(), ..Listed::default() };
    Catalogue::new(own.models).sheet("lab", Abilities::default(), &listed)
}

fn sheet(id: &str) -> Sheet {
    let listed = Listed { id: id.to_owned(), ..Listed::default() };
    Catalogue::new(Vec::new()).sheet("lab", Abilities::default(), &listed)
}

#[test]
fn a_glob_fits_what_it_says() {
    for (pattern, id, fits) in [
        ("gemini-*", "gemini-3.8-flash", true),
        ("gemini-*", "gemini", false),
        ("*qwen3*", "hf.co/unsloth/Qwen3-8B-GGUF:Q4", true),
        ("gpt-4o*", "openai/gpt-4o-mini", true),
        ("gpt-4o*", "gpt-4.1", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*a*ab", "aaab", true),
        ("*a*ab", "aaba", false),
        ("*", "", true),
        ("", "x", false),
        ("Привет*", "ПРИВЕТ-7b", true),
    ] {
        assert_eq!(Glob::new(pattern).covers(id), fits, "{pattern} on {id}");
    }
}

#[test]
fn gemini_models_have_the_gates_of_their_generation() {
    use Thinking::{High, Low, Medium, Minimal, None};
    let free = "temperature top_p top_k seed";
    let four = &[Minimal, Low, Medium, High][..];
    let three = &[Low, Medium, High][..];
    for (id, levels, samplers, open) in [
        ("gemini-3.8-flash", three, "seed", false),
        ("gemini-3.7-flash", three, "seed", false),
        ("gemini-3.6-flash", three, "seed", false),
        ("gemini-3.10-flash", three, "seed", false),
        ("gemini-4-argon", three, "seed", false),
        ("gemini-flash-latest", three, "seed", false),
        ("gemini-3.5-flash", four, free, true),
        ("gemini-3.5-flash-lite", four, "seed", true),
        ("gemini-3.1-flash-lite", four, free, true),
        ("gemini-3.1-pro-preview", three, free, true),
        ("gemini-3-flash-preview", four, free, true),
        ("gemini-3-pro-preview", &[Low, High], free, true),
        ("gemini-2.5-pro", four, free, true),
        ("gemini-2.5-flash", &[None, Minimal, Low, Medium, High], free, true),
        ("gemini-2.5-flash-lite", &[None, Minimal, Low, Medium, High], free, true),
    ] {
        let Sheet { abilities, roles, .. } = sheet(id);
        assert_eq!(abilities.thinking, levels.iter().copied().collect(), "{id}");
        assert_eq!(abilities.thinking_budget, id.starts_with("gemini-2.5"), "{id}");
        assert!(abilities.thinks && roles.contains(&ModelRole::Story), "{id}");
        assert_eq!((abilities.context_tokens, abilities.output_tokens), (1_114_112, Some(65_536)));
        let names = serde_json::to_value(&abilities.samplers).unwrap();
        let expected: BTreeSet<&str> = samplers.split(' ').collect();
        let names = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(expected, names, "{id}");
        assert_eq!(abilities.prefill, open, "{id}");
        assert_eq!(abilities.last_turn == LastTurn::Any, open, "{id}");
    }
}

#[test]
fn embedders_embed_and_do_not_write() {
    for (id, dimensions) in [
        ("gemini-embedding-001", Some(3072)),
        ("gemini-embedding-2", Some(3072)),
        ("nomic-embed-text:latest", Some(768)),
        ("BAAI/bge-m3", Some(1024)),
        ("text-embedding-3-small", Some(1536)),
        ("Qwen3-Embedding-0.6B", None),
    ] {
        let sheet = sheet(id);
        assert_eq!(sheet.roles, [ModelRole::Embedding].into(), "{id}");
        assert_eq!(
            (sheet.abilities.dimensions, sheet.abilities.thinks),
            (dimensions, false),
            "{id}"
        );
    }
    assert!(sheet("whisper-1").roles.is_empty());
}

#[test]
fn open_models_are_known_to_think_or_not() {
    for (id, thinks) in [
        ("deepseek-r1:14b", true),
        ("qwen3:8b", true),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", false),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", true),
        ("openai/gpt-oss-20b", true),
        ("llama3.1:8b", false),
        ("mistral-nemo", false),
        ("gemma-3-12b-it", false),
    ] {
        assert_eq!(sheet(id).abilities.thinks, thinks, "{id}");
        assert_eq!(sheet(id).abilities.context_tokens, 8192, "{id}: its server decides");
    }
}

#[test]
fn prices_change_on_their_day() {
    let price = |id: &str, day: &str| {
        let Sheet { prices, roles, abilities, .. } = sheet(id);
        let (id, name, description) = (String::new(), String::new(), String::new());
        let model = Model { id, name, description, roles, abilities, prices, rehearsal: false };
        let price = model.price(day.parse().unwrap()).copied();
        price.map(|price| (price.input, price.output, price.cached_input))
    };
    for id in ["gemini-3.8-flash", "gemini-3.7-flash"] {
        assert_eq!(price(id, "2026-12-31"), Some((0.75, 3.75, Some(0.075))));
        assert_eq!(price(id, "2027-01-01"), Some((1.5, 7.5, Some(0.15))));
    }
    for (id, input, output) in [
        ("gemini-3.6-flash", 1.5, 7.5),
        ("gemini-3.5-flash", 1.5, 9.0),
        ("gemini-3.5-flash-lite", 0.3, 2.5),
        ("gemini-3.1-flash-lite", 0.25, 1.5),
        ("gemini-3-flash-preview", 0.5, 3.0),
        ("gemini-2.5-flash", 0.3, 2.5),
        ("gemini-2.5-flash-lite", 0.1, 0.4),
        ("gemini-embedding-001", 0.15, 0.0),
    ] {
        let price = price(id, "2026-11-22").map(|(input, output, _)| (input, output));
        assert_eq!(price, Some((input, output)), "{id}");
    }
    assert_eq!(price("qwen3:8b", "2026-11-22"), None);
}

#[test]
fn an_operator_s_row_changes_only_what_it_says() {
    let own = "[[models]]\nmatch = \"gemini-3.8*\"\nprefill = true\nname = \"Ours\"\n\
               [[models]]\nmatch = \"lab/gemini-3.8-flash\"\ncontext_tokens = 32000";
    let ours = sheet_with(own, "gemini-3.8-flash");
    let mut expected = sheet("gemini-3.8-flash");
    expected.name = Some("Ours".into());
    expected.abilities.prefill = true;
    expected.abilities.context_tokens = 32_000;
    assert_eq!(ours, expected);
    assert_eq!(sheet_with(own, "gemini-3.7-flash"), sheet("gemini-3.7-flash"));
}

#[test]
fn a_server_s_word_stands_between_ours_and_the_operator_s() {
    let listed = Listed {
        id: "qwen3-8b".into(),
        name: Some("Qwen 3".into()),
        context_tokens: Some(16_384),
        ..Listed::default()
    };
    let told = Catalogue::new(Vec::new()).sheet("lab", Abilities::default(), &listed);
    assert_eq!((told.name.as_deref(), told.abilities.context_tokens), (Some("Qwen 3"), 16_384));
    let own = Row {
        pattern: Glob::new("qwen3*"),
        context_tokens: Some(9000),
        name: Some("Small".into()),
        ..Row::default()
    };
    let told = Catalogue::new(vec![own]).sheet("lab", Abilities::default(), &listed);
    assert_eq!((told.name.as_deref(), told.abilities.context_tokens), (Some("Small"), 9000));
}

#[test]
fn a_price_is_an_amount() {
    for (price, fits) in
        [("0", true), ("1e6", true), ("-1", false), ("nan", false), ("inf", false), ("2e6", false)]
    {
        let own = format!("[[models]]\nmatch = 'x'\nprices = [{{ input = 1, output = {price} }}]");
        let file: File = toml::from_str(&own).unwrap();
        let checked = file.models.iter().try_for_each(Row::check);
        assert_eq!(checked.is_ok(), fits, "{price}");
        let output = price.parse().unwrap();
        let price = Some(Price { output, ..Price::default() });
        let listed = Listed { id: "nobody-knows".into(), price, ..Listed::default() };
        let sheet = Catalogue::new(Vec::new()).sheet("lab", Abilities::default(), &listed);
        assert_eq!(sheet.prices.len(), usize::from(fits), "what a server says is not believed");
    }
}

#[test]
fn no_model_holds_more_than_a_client_can_be_told() {
    let listed = Listed {
        context_tokens: Some(u32::MAX),
        output_tokens: Some(u32::MAX),
        ..Listed::default()
    };
    let sheet = Catalogue::new(Vec::new()).sheet("lab", Abilities::default(), &listed);
    assert_eq!(sheet.abilities.context_tokens, 2_147_483_647);
    assert_eq!(sheet.abilities.output_tokens, Some(2_147_483_647));
}
