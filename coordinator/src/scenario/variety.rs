//! Bodies that differ: a scenario's body as a template, with what it puts in.

use proto::variety::template::{Template, TemplateError, names_in};
use proto::variety::{Dataset, Variety};

use super::ScenarioOptions;
use super::dataset::DatasetFile;
use super::error::ScenarioError;

/// How many bodies are made where nobody says how many.
pub const BODIES: u32 = 10_000;

/// The variety that a template makes, and one of its bodies, which the load does not send. `source` is what the user
/// wrote.
pub(super) fn of_template(
    source: &str,
    template: String,
    escapes_json: bool,
    options: &ScenarioOptions<'_>,
) -> Result<(Variety, Vec<u8>), ScenarioError> {
    let no_template = |error: TemplateError| {
        invalid(
            source,
            format!("has a body that is no template; {error}; correct it there, or set `template = false`"),
        )
    };
    let names = names_in(&template).map_err(no_template)?;
    let columns = options.dataset.map(DatasetFile::columns).unwrap_or_default().to_vec();
    let all = Dataset { columns, rows: Vec::new() };
    let mut variety = Variety { template, escapes_json, dataset: all, bodies: options.bodies };
    // With all columns first, so that an error lists them.
    Template::new(&variety, options.seed).map_err(no_template)?;
    if let Some(file) = options.dataset {
        variety.dataset = file.select(&names, options.bodies as usize)?;
    }

    let body = Template::new(&variety, options.seed).and_then(|made| made.body(u64::from(options.bodies)));
    let body = body.map_err(no_template)?;
    if escapes_json && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&body) {
        return Err(invalid(
            source,
            format!(
                "has a body that is no JSON once it is rendered: {error}; correct it there, or give it another \
                 `content-type`"
            ),
        ));
    }
    Ok((variety, body.into_bytes()))
}

fn invalid(source: &str, problem: String) -> ScenarioError {
    ScenarioError::Invalid { scenario: source.into(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::scenario::tests::{OPTIONS, load_file, load_file_with};
    use std::path::Path;

    fn dataset(text: &str) -> DatasetFile {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        std::fs::write(&path, text).unwrap();
        DatasetFile::read(Path::new(&path)).unwrap()
    }

    fn body(scenario: &Scenario) -> &str {
        std::str::from_utf8(&scenario.request.body).unwrap()
    }

    #[test]
    fn a_body_with_double_braces_is_a_template_unless_it_is_not_to_be_one() {
        let scenario = load_file("a.toml", "body = { id = \"{{ seq }}\" }").unwrap();
        // The first that the load does not send.
        assert_eq!(body(&scenario), "{\"id\":\"10000\"}");
        let variety = scenario.variety.unwrap();
        assert_eq!(
            (variety.template.as_str(), variety.escapes_json, variety.bodies),
            ("{\"id\":\"{{ seq }}\"}", true, 10_000)
        );

        let plain = load_file("a.toml", "template = false\nbody = { id = \"{{ seq }}\" }").unwrap();
        assert_eq!((body(&plain), plain.variety.is_none()), ("{\"id\":\"{{ seq }}\"}", true));
        let binary = load_file("a.toml", "body_file = \"body.bin\"").unwrap();
        assert!(binary.variety.is_none());
        let text =
            load_file("a.toml", "headers = { content-type = \"text/plain\" }\nbody = 'a {{ seq }}'").unwrap();
        assert_eq!(body(&text), "a 10000");
        assert!(!text.variety.unwrap().escapes_json);
    }

    #[test]
    fn only_the_rows_and_columns_that_are_put_in_are_kept() {
        let rows = dataset("{\"prompt\":\"a\",\"x\":1}\n{\"prompt\":\"b\",\"x\":2}\n{\"prompt\":\"c\"}");
        let options = ScenarioOptions { dataset: Some(&rows), bodies: 2, ..OPTIONS };
        let scenario = load_file_with(&options, "a.toml", "body = { p = \"{{ prompt }}\" }").unwrap();
        let dataset = &scenario.variety.as_ref().unwrap().dataset;
        assert_eq!((dataset.columns.len(), dataset.rows.len(), body(&scenario)), (1, 2, "{\"p\":\"a\"}"));
    }

    #[test]
    fn built_in_scenarios_ask_with_the_prompts_of_a_dataset() {
        let rows = dataset("{\"prompt\":\"Why \\\"so\\\"?\"}");
        let options = ScenarioOptions { dataset: Some(&rows), ..OPTIONS };
        for name in ["simple_chat", "chat_with_tools", "simple_chat_stream", "chat_with_tools_stream"] {
            let scenario = Scenario::load(name, &options).unwrap();
            let body: serde_json::Value = serde_json::from_slice(&scenario.request.body).unwrap();
            assert_eq!(body["messages"][1]["content"], "Why \"so\"?", "{name}");
            assert!(scenario.variety.is_some());
        }
        let other = dataset("{\"question\":1}");
        let options = ScenarioOptions { dataset: Some(&other), ..OPTIONS };
        let problem = Scenario::load("simple_chat", &options).unwrap_err().to_string();
        assert!(
            problem.contains("there is no `prompt`; there are seq, uuid, random_int, words, question"),
            "{problem}"
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert_eq!(
            load_file("a.toml", "body = '''{\n\"a\": \"{{ prompt }}\"}'''").unwrap_err(),
            "the scenario `a.toml` has a body that is no template; line 2: there is no `prompt`; there are seq, uuid, \
             random_int, words; correct it there, or set `template = false`"
        );
        let unquoted = load_file("a.toml", "body = '{\"a\": {{ words(2) }}}'").unwrap_err();
        assert!(
            unquoted.starts_with("the scenario `a.toml` has a body that is no JSON once it is rendered: "),
            "{unquoted}"
        );
    }
}
