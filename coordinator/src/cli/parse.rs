//! Flags, then variables, then defaults: from an untyped command line to typed arguments that know where they came from.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Parser};

use super::env_file::ProcessVariables;
use super::error::UsageError;
use super::variables::{Origin, Variable, Variables};
use crate::nearest::question;

/// A command line that was understood.
#[derive(Debug)]
pub struct Invocation<C> {
    /// What to do.
    pub command: C,
    /// Where each of its settings came from.
    pub given: Given,
}

/// What was given, and where: of each setting its origin, and the variables behind those that have no flag.
#[derive(Debug)]
pub struct Given {
    settings: BTreeMap<String, Setting>,
    variables: Variables,
    arguments: Vec<OsString>,
}

#[derive(Debug)]
struct Setting {
    origin: Origin,
    place: String,
    /// The variable that says the same, and its value; `None` for a default.
    variable: Option<(String, String)>,
}

/// Understands a command line. The variables of the chosen subcommand come from `process` and the files in `directory`;
/// a subcommand without variables reads no file, nor does a process that a coordinator has started.
///
/// # Errors
/// What cannot be used, in one sentence; or clap's own words, which are to be printed as they are
/// ([`UsageError::Clap`]).
pub fn parse<C: Parser>(
    arguments: Vec<OsString>,
    process: ProcessVariables,
    directory: &Path,
) -> Result<Invocation<C>, UsageError> {
    // Without any variable, so that whatever fails here is the command line's fault.
    let flags_only = without_variables(C::command());
    let matches = flags_only
        .clone()
        .try_get_matches_from(&arguments)
        .map_err(|error| command_line_error::<C>(error, &arguments))?;
    let Some(subcommand) = matches.subcommand_name() else {
        let (settings, variables) = (BTreeMap::new(), Variables::default());
        return Ok(Invocation {
            command: C::from_arg_matches(&matches)?,
            given: Given { settings, variables, arguments },
        });
    };

    let names = variable_names(&C::command(), subcommand);
    let names = where_variables_count(names, &flags_only, &matches);
    let variables =
        if names.is_empty() { Variables::default() } else { Variables::read(process, directory)? };
    variables.refuse_unknown()?;
    let matches = with_variables(flags_only.clone(), subcommand, &names, &variables)
        .try_get_matches_from(&arguments)
        .map_err(|error| variable_error(error, &flags_only, subcommand, &names, &variables))?;

    let settings = settings(&flags_only, &matches, &names, &variables);
    refuse_programs_of_files(&settings)?;
    Ok(Invocation {
        command: C::from_arg_matches(&matches)?,
        given: Given { settings, variables, arguments },
    })
}

/// Settings that name a program to run. Whoever runs this in a folder that somebody else has filled runs no program of
/// theirs.
const PROGRAMS: [(&str, &str); 2] = [("ssh_program", "--ssh"), ("worker_binary", "--worker-binary")];

fn refuse_programs_of_files(settings: &BTreeMap<String, Setting>) -> Result<(), UsageError> {
    for (id, flag) in PROGRAMS {
        if let Some(Setting { origin: Origin::EnvFile | Origin::BenchmarkConfigFile, place, .. }) =
            settings.get(id)
        {
            return Err(UsageError::ProgramInFile { place: place.clone(), flag });
        }
    }
    Ok(())
}

impl Given {
    /// Where the setting `id` (the name of its field) came from.
    pub fn origin(&self, id: &str) -> Origin {
        self.settings.get(id).map_or(Origin::Default, |setting| setting.origin)
    }

    /// How to call the setting `id` in a sentence: its flag, or its variable and where that is set.
    pub fn place<'a>(&'a self, id: &'a str) -> &'a str {
        self.settings.get(id).map_or(id, |setting| &setting.place)
    }

    /// Everything that was given and has a variable: its id, the variable's name, and the value that says the same.
    pub fn settings(&self) -> impl Iterator<Item = (&str, String, String)> {
        self.settings.iter().filter_map(|(id, setting)| {
            let (name, value) = setting.variable.clone()?;
            Some((id.as_str(), name, value))
        })
    }

    /// A variable from the environment or the files.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(|variable| variable.value)
    }

    /// A variable from the environment alone.
    pub fn process_variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.of_process(name)
    }

    /// The command line as it was typed, secrets included.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }
}

/// The flag that children of a coordinator are started with.
const ENDS_WITH_STDIN: &str = "exit_with_stdin";

/// Of one subcommand: which variable belongs to which argument.
type VariableNames = BTreeMap<String, String>;

fn variable_names(command: &clap::Command, subcommand: &str) -> VariableNames {
    let arguments = command.find_subcommand(subcommand).into_iter().flat_map(clap::Command::get_arguments);
    arguments
        .filter_map(|argument| {
            Some((argument.get_id().to_string(), argument.get_env()?.to_string_lossy().into_owned()))
        })
        .collect()
}

/// What ends with its standard input was started by a coordinator, which says all with flags: on another machine the
/// variables and files are for something else. And the variable of a flag that a typed one excludes counts for nothing.
fn where_variables_count(
    mut names: VariableNames,
    command: &clap::Command,
    matches: &ArgMatches,
) -> VariableNames {
    let Some((subcommand, matches)) = matches.subcommand() else { return names };
    let typed = |id: &str| {
        matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    if typed(ENDS_WITH_STDIN) {
        return VariableNames::new();
    }
    let Some(subcommand) = command.find_subcommand(subcommand) else { return names };
    for argument in subcommand.get_arguments() {
        let excluded = subcommand.get_arg_conflicts_with(argument);
        for other in excluded.into_iter().map(|other| other.get_id().as_str()) {
            if typed(argument.get_id().as_str()) {
                names.remove(other);
            }
            if typed(other) {
                names.remove(argument.get_id().as_str());
            }
        }
    }
    names
}

/// clap reads the process's variables itself when it is told their names; here they come in by one way only.
fn without_variables(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|subcommand| subcommand.mut_args(|argument| argument.env(None::<&'static str>)))
}

/// A variable takes the place of the default, so that a flag beats it and it conflicts with nothing.
fn with_variables(
    command: clap::Command,
    subcommand: &str,
    names: &VariableNames,
    variables: &Variables,
) -> clap::Command {
    command.mut_subcommand(subcommand, |subcommand| {
        subcommand.mut_args(|argument| match variable_of(&argument, names, variables) {
            Some((_, variable)) => {
                let values = split(variable.value, argument.get_value_delimiter());
                argument.default_values(values)
            }
            None => argument,
        })
    })
}

/// The variable that sets an argument, and its name. One that holds nothing but separators sets nothing.
fn variable_of<'a>(
    argument: &clap::Arg,
    names: &'a VariableNames,
    variables: &'a Variables,
) -> Option<(&'a str, Variable<'a>)> {
    let name = names.get(argument.get_id().as_str())?;
    let delimiter = argument.get_value_delimiter();
    let says_something = |value: &OsStr| !value.is_empty() && !split(value, delimiter).is_empty();
    Some((name, variables.find(name, says_something)?))
}

/// The parts of a list, without empty ones: a line break or a comma at the end is no further value.
fn split(value: &OsStr, delimiter: Option<char>) -> Vec<OsString> {
    match (delimiter, value.to_str()) {
        (Some(delimiter), Some(text)) => {
            text.split(delimiter).map(str::trim).filter(|part| !part.is_empty()).map(OsString::from).collect()
        }
        _ => vec![value.to_owned()],
    }
}

fn settings(
    command: &clap::Command,
    matches: &ArgMatches,
    names: &VariableNames,
    variables: &Variables,
) -> BTreeMap<String, Setting> {
    let Some((subcommand, matches)) = matches.subcommand() else { return BTreeMap::new() };
    let arguments = command.find_subcommand(subcommand).into_iter().flat_map(clap::Command::get_arguments);
    arguments
        .map(|argument| {
            let id = argument.get_id().as_str();
            let flag = argument.get_long().map_or_else(|| id.to_owned(), |long| format!("--{long}"));
            let typed = matches.try_contains_id(id).is_ok()
                && matches.value_source(id) == Some(ValueSource::CommandLine);
            let (origin, place) = match variable_of(argument, names, variables) {
                _ if typed => (Origin::Flag, flag),
                Some((name, variable)) => (variable.place.origin, format!("{name} in {}", variable.place)),
                None => (Origin::Default, flag),
            };
            let variable = names.get(id).filter(|_| origin != Origin::Default);
            let variable = variable.map(|name| (name.clone(), value_of(argument, matches)));
            (id.to_owned(), Setting { origin, place, variable })
        })
        .collect()
}

/// As a variable would say it.
fn value_of(argument: &clap::Arg, matches: &ArgMatches) -> String {
    let raw = matches.try_get_raw(argument.get_id().as_str()).ok().flatten();
    let values: Vec<_> =
        raw.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect();
    values.join(&argument.get_value_delimiter().unwrap_or(',').to_string())
}

/// Help comes from the untouched command, where clap still knows the variables' names.
fn command_line_error<C: Parser>(error: clap::Error, arguments: &[OsString]) -> UsageError {
    if error.kind() == ErrorKind::DisplayHelp {
        let command = C::command()
            .mut_subcommands(|subcommand| subcommand.mut_args(|argument| argument.hide_env_values(true)));
        return command.try_get_matches_from(arguments).err().unwrap_or(error).into();
    }
    match (context(&error, ContextKind::InvalidArg), problem(&error)) {
        (Some(argument), Some(problem)) => {
            let flag = argument.split([' ', '=', '[']).next().unwrap_or_default().to_owned();
            UsageError::Flag { flag, problem }
        }
        _ if is_help(&error) => error.into(),
        _ => UsageError::CommandLine { problem: in_one_line(&error), command: typed_command::<C>(arguments) },
    }
}

fn is_help(error: &clap::Error) -> bool {
    !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// clap's words without the usage that follows them, each paragraph in one line.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let words = text.strip_prefix("error: ").unwrap_or(&text).split("\n\nUsage:").next().unwrap_or_default();
    let words = words.split("\n\nFor more information").next().unwrap_or_default();
    let paragraphs = words.split("\n\n").map(|words| words.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("; ")
}

/// The program and the subcommand, where there is one of that name.
fn typed_command<C: Parser>(arguments: &[OsString]) -> String {
    let program = C::command();
    let subcommand = arguments.get(1).and_then(|name| program.find_subcommand(name));
    [Some(&program), subcommand]
        .into_iter()
        .flatten()
        .map(clap::Command::get_name)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Finds the variable behind an error by trying each as if it were a flag.
fn variable_error(
    error: clap::Error,
    flags_only: &clap::Command,
    subcommand: &str,
    names: &VariableNames,
    variables: &Variables,
) -> UsageError {
    for (id, name) in names {
        let Some(variable) = variables.get(name) else { continue };
        let alone = VariableNames::from([(id.clone(), name.clone())]);
        let command = with_variables(flags_only.clone(), subcommand, &alone, variables);
        let attempt = command.try_get_matches_from([OsStr::new("archestra-bench"), OsStr::new(subcommand)]);
        if let Some(problem) = attempt.err().as_ref().and_then(problem) {
            return UsageError::Variable { name: name.clone(), place: variable.place.to_string(), problem };
        }
    }
    error.into()
}

/// What is wrong with a value, to be read after the name of its flag or variable.
fn problem(error: &clap::Error) -> Option<String> {
    match error.kind() {
        ErrorKind::ValueValidation => Some(std::error::Error::source(error)?.to_string()),
        ErrorKind::InvalidValue => {
            let value = context(error, ContextKind::InvalidValue).filter(|value| !value.is_empty())?;
            let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue) else { return None };
            let meant = question(&value, valid.iter().map(String::as_str));
            Some(format!("must be one of {}, not `{value}`{meant}", valid.join(", ")))
        }
        ErrorKind::InvalidUtf8 => Some("must be text in UTF-8".into()),
        _ => None,
    }
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}
