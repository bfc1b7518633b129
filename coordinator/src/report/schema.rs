//! The JSON Schema of `report.json`, made of the record's types, against the one that is kept in `docs/schema`.
//!
//! After a change of the record, write it anew:
//! `ARCHESTRA_BENCH_WRITE_SCHEMA=1 cargo test -p archestra-bench --lib report::schema`.

use std::fs;
use std::path::Path;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use serde_json::{Value, json};

use super::record::{RunRecord, SCHEMA_VERSION};

#[test]
fn the_schema_that_is_kept_is_that_of_the_record() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../docs/schema/report-{SCHEMA_VERSION}.schema.json"));
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("ARCHESTRA_BENCH_WRITE_SCHEMA").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &schema).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == schema,
        "{} is not the schema of the record any more: write it anew with ARCHESTRA_BENCH_WRITE_SCHEMA=1",
        path.display()
    );
}

#[test]
fn every_property_is_described_and_every_number_has_its_unit() {
    let schema = schema();
    let (mut properties, mut numbers) = (0, 0);
    let mut open = vec![schema.as_value()];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten()
                {
                    properties += 1;
                    // The name of a variant, or its only content, is described as the whole.
                    let is_variant = map.contains_key("description")
                        || property.get("const").is_some_and(Value::is_string);
                    assert!(is_variant || property.get("description").is_some(), "{name} is not described");
                    numbers += u32::from(is_number(property));
                    assert!(!is_number(property) || property.get("x-unit").is_some(), "{name} has no unit");
                }
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(properties > 150 && numbers > 80, "{properties} properties with {numbers} numbers");
}

fn schema() -> Schema {
    // What is written is described, so that no property may be missing; what is read may be older.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<RunRecord>();
    finish(&mut schema);
    schema.insert(
        "title".into(),
        json!(format!("report.json of archestra-bench, schema version {SCHEMA_VERSION}")),
    );
    if let Some(version) = schema.pointer_mut("/properties/schema_version") {
        version["const"] = json!(SCHEMA_VERSION);
    }
    // The file's own digest is written behind the record.
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert(
            "sha256".into(),
            json!({
                "description": "The SHA-256 of every line before the one on which it stands, in hexadecimal digits.",
                "type": "string",
                "pattern": "^[0-9a-f]{64}$"
            }),
        );
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.push(json!("sha256"));
    }
    schema
}

/// Nothing may be there that is not described; `None` is JSON's `null`; and each number says what it counts.
fn finish(schema: &mut Schema) {
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".into(), json!(false));
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace("`None`", "`null`").replace('\n', " ").replace("[`", "`").replace("`]", "`");
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (name, property) in properties {
            if let Some(unit) = is_number(property).then(|| unit(name)) {
                property["x-unit"] = json!(unit);
                describe_unit(property, unit);
            }
        }
    }
    transform_subschemas(&mut finish, schema);
}

/// People read descriptions, and programs `x-unit`.
fn describe_unit(property: &mut Value, unit: &str) {
    if let Some(Value::String(text)) = property.get_mut("description")
        && !["count", "none"].contains(&unit)
        && !text.to_lowercase().contains(unit)
    {
        *text += &format!(" In {unit}.");
    }
}

fn is_number(property: &Value) -> bool {
    let is = |name: &Value| name == "integer" || name == "number";
    match property.get("type") {
        Some(Value::Array(several)) => several.iter().any(is),
        Some(one) => is(one),
        None => false,
    }
}

fn unit(name: &str) -> &'static str {
    match name {
        "nanos" => "nanoseconds",
        "throughput" | "offered_rate" | "achieved_rate" | "per_second" => "requests a second",
        "output_token_rate" => "tokens a second",
        "failure_rate" | "coalesced_share" | "share" | "busiest_thread" | "scheduler_lag" | "steal" => {
            "parts of 1"
        }
        "ratio" | "low" | "high" => "gateway ÷ upstream",
        "process_cores" => "cores",
        "schema_version" | "number" | "block" | "blocks" | "repeat" | "seed" | "status"
        | "expected_status" => "none",
        _ if name.ends_with("_ns") => "nanoseconds",
        _ if name.ends_with("_millihertz") => "thousandths of a request a second",
        _ if name.ends_with("_bytes") || name.starts_with("bytes_") => "bytes",
        _ => "count",
    }
}
