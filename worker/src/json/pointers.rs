//! What is looked for in a JSON text: JSON pointers and what their values must be, compiled into one tree.

use crate::json::equality::Expected;
use crate::json::lexis::Key;

/// How many numbers a scan keeps.
pub(super) const COUNTS: usize = 2;
/// The digits of the largest number that is kept; what is larger is no count of anything.
const COUNT_DIGITS: usize = 10;
/// How deeply arrays and objects may lie within each other.
pub(super) const MAX_DEPTH: usize = 128;

/// A value that is looked for.
#[derive(Debug, Clone)]
pub struct Pattern {
    steps: Vec<Step>,
    test: Test,
    want: u8,
    any: bool,
}

/// What a value must be, beyond being there.
#[derive(Debug, Clone)]
pub enum Test {
    /// Anything, also null.
    Exists,
    /// Anything but null.
    NotNull,
    /// A string of at least one character.
    NonEmptyString,
    /// An array of at least one element.
    NonEmptyArray,
    /// A certain value.
    Equals(Expected),
    /// A whole number, which the scan keeps there: below [`COUNTS`].
    Count(usize),
}

/// A set of what is wanted: the numbers that patterns were given, below 32.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Wants(u32);

/// Patterns compiled into a tree that a scan walks along with the text.
#[derive(Debug, Clone)]
pub struct Pointers {
    nodes: Vec<Node>,
    /// All that is wanted.
    pub(super) all: Wants,
    /// That for which any of several values will do; of the others, the first value at the pointer decides.
    pub(super) any: Wants,
    /// The longest text of a key that can match, in bytes, each character written as an escape.
    pub(super) longest_key_text: usize,
}

/// One place in a text.
#[derive(Debug, Clone, Default)]
struct Node {
    members: Vec<Member>,
    elements: Vec<(u32, NodeId)>,
    every_element: Option<NodeId>,
    checks: Vec<Check>,
    /// The longest text that any of the checks needs to see.
    longest_text: Option<usize>,
}

/// Where the member of that name lies.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// That of its key.
    head: u64,
    name: Box<[u8]>,
    place: NodeId,
}

/// What to check of the value at a place.
#[derive(Debug, Clone)]
pub(super) struct Check {
    pub(super) want: Wants,
    pub(super) test: Test,
}

/// The number of a place that matters.
pub(super) type NodeId = u32;
/// The whole text.
pub(super) const ROOT: NodeId = 0;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A member of that name, or an element of that index.
    Token(String),
    EveryElement,
}

impl Pattern {
    /// The value at an RFC 6901 pointer, whose syntax has been checked; the first one, should keys occur twice.
    pub fn at(pointer: &str, test: Test, want: u8) -> Self {
        Self { steps: steps(pointer).collect(), test, want, any: false }
    }

    /// Any value at a pointer in which `*` stands for any element of an array.
    pub fn any(pointer: &str, test: Test, want: u8) -> Self {
        let any_element = Step::Token("*".into());
        let steps = steps(pointer).map(|step| if step == any_element { Step::EveryElement } else { step });
        Self { steps: steps.collect(), test, want, any: true }
    }
}

fn steps(pointer: &str) -> impl Iterator<Item = Step> {
    pointer.split('/').skip(1).map(|token| Step::Token(token.replace("~1", "/").replace("~0", "~")))
}

impl Step {
    /// The array index that a token names: digits without a leading zero.
    fn index(&self) -> Option<u32> {
        match self {
            Self::Token(token) if token == "0" || token.starts_with(|first| ('1'..='9').contains(&first)) => {
                token.parse().ok()
            }
            Self::Token(_) | Self::EveryElement => None,
        }
    }
}

impl Wants {
    /// Nothing.
    pub const NONE: Wants = Wants(0);

    /// One number, below 32.
    pub const fn only(want: u8) -> Self {
        Self(1 << (want % 32))
    }

    /// Whether all of the other set are in this one.
    pub const fn contains(self, other: Wants) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those of either set.
    #[must_use]
    pub const fn and(self, other: Wants) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Wants) -> Self {
        Self(self.0 & !other.0)
    }
}

impl Pointers {
    /// Compiles patterns. Several may share a number: any of them then satisfies it.
    pub fn new(patterns: &[Pattern]) -> Self {
        let mut pointers =
            Self { nodes: Vec::new(), all: Wants::NONE, any: Wants::NONE, longest_key_text: 0 };
        for pattern in patterns {
            let want = Wants::only(pattern.want);
            pointers.all = pointers.all.and(want);
            if pattern.any {
                pointers.any = pointers.any.and(want);
            }
        }
        // A value deeper than any text may go is not there, and need not be looked for.
        let within_reach = patterns.iter().filter(|pattern| pattern.steps.len() < MAX_DEPTH);
        let all: Vec<_> = within_reach.map(|pattern| (&pattern.steps[..], pattern)).collect();
        pointers.compile(&all);
        pointers
    }

    /// All that is wanted.
    pub fn all(&self) -> Wants {
        self.all
    }

    /// The place for patterns of which the given steps are left. A text can be at several of them at once (element 0
    /// and every element), so places stand for sets of patterns.
    fn compile(&mut self, left: &[(&[Step], &Pattern)]) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node::default());

        let mut node = Node::default();
        for (_, pattern) in left.iter().filter(|(steps, _)| steps.is_empty()) {
            node.add_check(pattern);
        }
        for (step, _) in left.iter().filter_map(|(steps, _)| steps.split_first()) {
            self.compile_step(&mut node, step, left);
        }
        self.nodes[id] = node;
        id as NodeId
    }

    fn compile_step(&mut self, node: &mut Node, step: &Step, left: &[(&[Step], &Pattern)]) {
        let after = |leads: &dyn Fn(&Step) -> bool| -> Vec<_> {
            let steps = left.iter().filter_map(|(steps, pattern)| Some((steps.split_first()?, *pattern)));
            steps.filter(|((first, _), _)| leads(first)).map(|((_, rest), pattern)| (rest, pattern)).collect()
        };
        match step {
            Step::EveryElement if node.every_element.is_none() => {
                node.every_element = Some(self.compile(&after(&|first| first == step)));
            }
            Step::Token(token) if member(&node.members, Key::new(token.as_bytes())).is_none() => {
                self.longest_key_text = self.longest_key_text.max(6 * token.len());
                let named = after(&|first| first == step);
                let place = self.compile(&named);
                let Key { head, text } = Key::new(token.as_bytes());
                node.members.push(Member { head, name: text.into(), place });

                if let Some(index) = step.index() {
                    let reached = after(&|first| first == step || *first == Step::EveryElement);
                    // Places are shared where they can be: a long row of numbers would double at each of them.
                    let shared = reached.len() == named.len();
                    let element = if shared { place } else { self.compile(&reached) };
                    node.elements.push((index, element));
                }
            }
            Step::EveryElement | Step::Token(_) => {}
        }
    }

    /// The place of an object's member.
    #[inline]
    pub(super) fn member(&self, object: NodeId, key: Key<'_>) -> Option<NodeId> {
        member(self.members(object), key)
    }

    /// The members of an object that matter.
    #[inline]
    pub(super) fn members(&self, object: NodeId) -> &[Member] {
        self.node(object).map_or(&[], |node| &node.members)
    }

    /// The place of an array's element.
    #[inline]
    pub(super) fn element(&self, array: NodeId, index: u32) -> Option<NodeId> {
        let node = self.node(array)?;
        let exact = node.elements.iter().find(|(wanted, _)| *wanted == index);
        exact.map(|(_, id)| *id).or(node.every_element)
    }

    #[inline]
    pub(super) fn checks(&self, place: NodeId) -> &[Check] {
        self.node(place).map_or(&[], |node| &node.checks)
    }

    /// How long the text of the value there may be for someone to want it, if anyone does.
    #[inline]
    pub(super) fn longest_text(&self, place: NodeId) -> Option<usize> {
        self.node(place)?.longest_text
    }

    #[inline]
    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id as usize)
    }
}

/// The place of the member with that key.
#[inline]
pub(super) fn member(members: &[Member], key: Key<'_>) -> Option<NodeId> {
    let has_that_name = |member: &&Member| {
        member.head == key.head
            && member.name.len() == key.text.len()
            && (key.text.len() < Key::HEAD || *member.name == *key.text)
    };
    members.iter().find(has_that_name).map(|member| member.place)
}

impl Node {
    fn add_check(&mut self, pattern: &Pattern) {
        self.longest_text = self.longest_text.max(match &pattern.test {
            Test::Equals(expected) => Some(expected.longest_text()),
            Test::Count(_) => Some(COUNT_DIGITS),
            Test::Exists | Test::NotNull | Test::NonEmptyString | Test::NonEmptyArray => None,
        });
        self.checks.push(Check { want: Wants::only(pattern.want), test: pattern.test.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Also where names differ late, hold quotes, or begin with each other.
        #[test]
        fn a_member_is_found_by_its_whole_name(
            names in prop::collection::vec("[ab\"\0]{0,3}(abcdef)?[gh\"]{0,3}", 1..8), key in "[ab\"\0]{0,3}(abcdef)?[gh\"]{0,3}",
        ) {
            let pattern = |(want, name): (u8, &String)| Pattern::at(&format!("/{name}"), Test::Exists, want);
            let pointers = Pointers::new(&(0..).zip(&names).map(pattern).collect::<Vec<_>>());
            for key in names.iter().chain([&key]) {
                let found = member(pointers.members(ROOT), Key::new(key.as_bytes())).map(|place| pointers.checks(place));
                let wanted = names.iter().filter(|name| *name == key).count();
                prop_assert_eq!(found.map_or(0, <[Check]>::len), wanted);
            }
        }
    }
}
