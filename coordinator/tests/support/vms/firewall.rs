//! From the firewall rules of the API to nftables within a VM's namespace: what no rule allows is dropped.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::namespace::Namespace;

/// A VM as firewall rules see it.
pub struct Peer<'a> {
    /// Its address.
    pub address: &'a str,
    /// Its tags.
    pub tags: &'a [String],
}

/// Lets into a namespace what `rules` let into a VM with `tags`.
pub fn apply(namespace: &Namespace, tags: &[String], rules: &[Value], peers: &[Peer<'_>]) {
    let text = ruleset(tags, rules, peers);
    namespace.within(|| {
        let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "nft refuses:\n{text}");
    });
}

/// The rules for a VM with these tags, as nft reads them.
pub fn ruleset(tags: &[String], rules: &[Value], peers: &[Peer<'_>]) -> String {
    let mut mine: Vec<&Value> = rules.iter().filter(|rule| concerns(rule, tags)).collect();
    // At the same priority, what denies comes first.
    mine.sort_by_key(|rule| (rule["priority"].as_u64().unwrap_or(1000), rule["denied"].is_null()));
    let lines: String =
        mine.iter().flat_map(|rule| lines(rule, peers)).map(|line| format!("    {line}\n")).collect();
    format!(
        "flush ruleset\ntable inet cloud {{\n  chain input {{\n    type filter hook input priority 0; policy drop;\n    \
         iif \"lo\" accept\n    ct state established,related accept\n{lines}  }}\n}}\n"
    )
}

fn concerns(rule: &Value, tags: &[String]) -> bool {
    let targets = texts(&rule["targetTags"]);
    rule["direction"] != "EGRESS"
        && rule["disabled"] != true
        && (targets.is_empty() || targets.iter().any(|target| tags.iter().any(|tag| tag == target)))
}

fn lines(rule: &Value, peers: &[Peer<'_>]) -> Vec<String> {
    let from_tags = texts(&rule["sourceTags"]);
    let mut sources: Vec<&str> = texts(&rule["sourceRanges"]);
    if sources.is_empty() && from_tags.is_empty() {
        sources.push("0.0.0.0/0");
    }
    let is_source = |peer: &&Peer<'_>| peer.tags.iter().any(|tag| from_tags.contains(&tag.as_str()));
    sources.extend(peers.iter().filter(is_source).map(|peer| peer.address));
    sources.retain(|source| !source.contains(':'));
    if sources.is_empty() {
        return Vec::new();
    }
    let sources: Vec<String> = sources.into_iter().map(|source| format!("ip saddr {source}")).collect();
    let (verdict, parts) =
        if rule["denied"].is_null() { ("accept", &rule["allowed"]) } else { ("drop", &rule["denied"]) };
    let parts = parts.as_array().into_iter().flatten().map(matched);
    parts.flat_map(|part| sources.iter().map(move |source| format!("{source} {part}{verdict}"))).collect()
}

/// Such as `tcp dport { 80, 9000-9010 } `.
fn matched(part: &Value) -> String {
    let protocol = part["IPProtocol"].as_str().unwrap();
    let ports = texts(&part["ports"]).join(", ");
    match (protocol, ports.is_empty()) {
        ("all", _) => String::new(),
        (_, true) => format!("meta l4proto {protocol} "),
        (_, false) => format!("{protocol} dport {{ {ports} }} "),
    }
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
