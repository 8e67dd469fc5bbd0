//! `flashwire explain`, `completions` and `man`: what the tool says about itself.

use clap::CommandFactory;
use flashwire::error::hint;
use flashwire::files::FileError;
use flashwire::{Error, Problem};

use crate::args::{Cli, CompletionsArgs, ExplainArgs, ManArgs};
use crate::json::{ExplainObject, HintObject};
use crate::screen::Screen;

/// Explains an error code, or lists all.
pub(crate) fn explain(args: &ExplainArgs, screen: &Screen) -> Result<(), Error> {
    let hints: Vec<&hint::Hint> = match &args.code {
        Some(code) => {
            // People copy the brackets along.
            let bare = code
                .trim_start_matches("error")
                .trim_matches(['[', ']', ':']);
            let unknown = || {
                let what =
                    format!("there is no error code `{code}`; `flashwire explain` lists all");
                Problem::Usage(what)
            };
            vec![hint::find(bare).ok_or_else(unknown)?]
        }
        None => hint::ALL.to_vec(),
    };
    let text = match (&args.code, &hints[..]) {
        (Some(_), [hint]) => generic(&format!(
            "{} (exit code {})\n\n{}\nLikely: {}.\nTry:    {}.\n",
            hint.code, hint.exit as u8, hint.text, hint.likely, hint.remedy
        )),
        _ => hints
            .iter()
            .map(|hint| {
                format!(
                    "{:<18} {:>3}  {}\n",
                    hint.code, hint.exit as u8, hint.likely
                )
            })
            .collect(),
    };
    let errors = hints.iter().map(|hint| HintObject {
        code: hint.code,
        exit: hint.exit as u8,
        likely: generic(hint.likely),
        remedy: generic(hint.remedy),
        text: generic(hint.text),
    });
    screen.result(
        &text,
        &ExplainObject {
            schema: "flashwire/explain/1",
            errors: errors.collect(),
        },
    )
}

/// A text of the table about no port and file in particular.
fn generic(text: &str) -> String {
    hint::fill(text, "PORT", "FILE")
}

/// Prints a completion script.
pub(crate) fn completions(args: &CompletionsArgs, screen: &Screen) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "flashwire", &mut script);
    screen.data(&script)
}

/// Writes a manual page for each command.
pub(crate) fn man(args: &ManArgs, screen: &Screen) -> Result<(), Error> {
    let dir = &args.dir;
    let unwritable = |source| FileError::Unwritable {
        path: dir.clone(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(unwritable)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(unwritable)?;
    screen.say(&format!("manual pages are in {}", dir.display()));
    Ok(())
}
