use std::collections::HashSet;

use super::*;

fn dataset(columns: &[&str], rows: &[&[Field]]) -> Dataset {
    Dataset {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        rows: rows.iter().map(|row| row.to_vec()).collect(),
    }
}

fn variety(template: &str, dataset: Dataset) -> Variety {
    Variety { template: template.into(), escapes_json: true, dataset, bodies: 1 }
}

fn bodies(variety: &Variety, seed: u64, items: impl Iterator<Item = u64>) -> Vec<String> {
    let template = Template::new(variety, seed).unwrap();
    items.map(|item| template.body(item).unwrap()).collect()
}

fn text(text: &str) -> Field {
    Field::Text(text.into())
}

fn refused(template: &str) -> String {
    let variety = variety(template, dataset(&["prompt"], &[&[text("x")]]));
    match Template::new(&variety, 1).map(|template| template.body(0)) {
        Ok(Ok(body)) => panic!("{body}"),
        Ok(Err(error)) | Err(error) => error.to_string(),
    }
}

#[test]
fn bodies_are_numbered_and_take_the_rows_in_turn() {
    let rows: [&[Field]; 3] = [&[text("a")], &[text("b")], &[text("c")]];
    let variety = variety("{{ seq }}{{prompt}}", dataset(&["prompt"], &rows));
    assert_eq!(bodies(&variety, 1, 0..5), ["0a", "1b", "2c", "3a", "4b"]);
}

#[test]
fn text_is_escaped_for_json_and_what_is_json_is_left_alone() {
    let row: [Field; 2] = [text("a \"b\"\n\\ \u{1}ü{{ seq }}"), Field::Json("[{\"role\":\"user\"}]".into())];
    let mut variety =
        variety("{\"p\":\"{{ prompt }}\",\"m\":{{ messages }}}", dataset(&["prompt", "messages"], &[&row]));
    let escaped = "{\"p\":\"a \\\"b\\\"\\n\\\\ \\u0001ü{{ seq }}\",\"m\":[{\"role\":\"user\"}]}";
    assert_eq!(bodies(&variety, 1, 0..1), [escaped]);
    variety.escapes_json = false;
    assert!(bodies(&variety, 1, 0..1)[0].contains("a \"b\"\n\\ \u{1}ü"));
}

#[test]
fn a_whole_number_of_a_row_can_be_reckoned_with() {
    let row: [Field; 2] = [Field::Json("3".into()), Field::Json("1.50".into())];
    let variety = variety("{{ words(n) }}|{{ n + 1 }}|{{ n }}|{{ x }}", dataset(&["n", "x"], &[&row]));
    let body = &bodies(&variety, 1, 0..1)[0];
    let parts: Vec<&str> = body.split('|').collect();
    assert_eq!((parts[0].split(' ').count(), &parts[1..]), (3, &["4", "3", "1.50"][..]));
}

#[test]
fn what_is_random_differs_from_body_to_body_and_a_seed_repeats_it() {
    let variety = variety("{{ uuid }} {{ uuid }} {{ random_int(-3, 3) }} {{ words(5) }}", Dataset::default());
    let made = bodies(&variety, 7, 0..1_000);
    assert_eq!(made.iter().collect::<HashSet<_>>().len(), 1_000);
    assert_eq!(made, bodies(&variety, 7, 0..1_000));
    assert_ne!(made, bodies(&variety, 8, 0..1_000));
    let mut seen = HashSet::new();
    for body in &made {
        let parts: Vec<&str> = body.split(' ').collect();
        assert_eq!((parts.len(), parts[0]), (8, parts[1]));
        let uuid: Vec<&str> = parts[0].split('-').collect();
        assert_eq!(uuid.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{body}");
        assert!(uuid[2].starts_with('4') && uuid[3].starts_with(['8', '9', 'a', 'b']), "{body}");
        seen.insert(parts[2].parse::<i64>().unwrap());
    }
    assert_eq!(seen, (-3..=3).collect());
}

#[test]
fn two_numbers_of_one_body_are_two() {
    let variety =
        variety("{{ random_int(0, 1000000000) }} {{ random_int(0, 1000000000) }}", Dataset::default());
    let body = &bodies(&variety, 7, 0..1)[0];
    let (one, other) = body.split_once(' ').unwrap();
    assert_ne!(one, other);
}

#[test]
fn the_widest_range_can_be_drawn_from() {
    let variety =
        variety(&format!("{{{{ random_int({}, {}) }}}}", i64::MIN + 1, i64::MAX), Dataset::default());
    assert!(bodies(&variety, 7, 0..10).iter().all(|body| body.parse::<i64>().is_ok()));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    assert_eq!(
        refused("{\n\"a\": \"{{ prompts }}\"}"),
        "line 2: there is no `prompts`; there are seq, uuid, random_int, words, prompt"
    );
    assert!(refused("a\nb\n{{ prompt").starts_with("line 3: "), "{}", refused("a\nb\n{{ prompt"));
    assert!(refused("{% for %}").starts_with("line 1: "));
    assert_eq!(refused("{{ random_int(3, 1) }}"), "line 1: random_int(3, 1) has nothing to choose from");
    assert_eq!(refused("\n{{ words(1000001) }}"), "line 2: words(1000001) is more than 1000000");
    assert!(refused("{{ random_int(1) }}").starts_with("line 1: "));
    assert_eq!(refused("{{ prompt.length }}"), "line 1: there is no such value");
    assert!(refused("{{ prompt | nothing }}").starts_with("line 1: "));
}

#[test]
fn names_are_those_that_are_not_its_own() {
    let names =
        names_in("{% set x = prompt %}{{ x }}{{ seq }}{% for y in messages %}{{ y.role }}{% endfor %}")
            .unwrap();
    assert_eq!(names, ["messages", "prompt", "seq"]);
    assert!(is_template("{{seq}}") && is_template("{% if a %}") && !is_template("{\"a\":{\"b\":{}}}"));
}
