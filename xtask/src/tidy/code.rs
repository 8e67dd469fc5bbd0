//! Rules about Rust code that no compiler lint covers.

mod lex;

use super::Finding;
use crate::tree::Tree;

/// Words that must not occur, where, and what to do instead.
struct Ban {
    /// Exact words; those that begin or end with a letter match whole words only.
    words: &'static [&'static str],
    /// Beginnings of paths that the rule is about.
    inside: &'static [&'static str],
    /// Beginnings of paths that are excepted.
    except: &'static [&'static str],
    what: &'static str,
}

/// Library code: what must not know that a person or an operating system is there.
const BELOW_F4: &[&str] = &[
    "crates/protocol/src/",
    "crates/plan/src/",
    "crates/link/src/",
    "crates/device/src/",
    "crates/client/src/",
    "crates/sim/src/",
    "crates/flashwire/src/",
];

const BANS: &[Ban] = &[
    Ban {
        words: &["#[allow", "#![allow"],
        inside: &[""],
        except: &[],
        what: "use #[expect(..., reason = \"...\")]: it goes when its reason goes",
    },
    Ban {
        words: &["todo!", "unimplemented!"],
        inside: &[""],
        except: &[],
        what: "finish it, or leave it out",
    },
    Ban {
        words: &["dbg!"],
        inside: &[""],
        except: &[],
        what: "left over from debugging",
    },
    Ban {
        words: &[
            "print!",
            "println!",
            "eprint!",
            "eprintln!",
            "process::exit",
        ],
        inside: BELOW_F4,
        except: &[],
        what: "below F4 nothing prints or exits: return an event or an error",
    },
    Ban {
        words: &["Instant::now", "SystemTime::now", "thread::sleep"],
        inside: &[
            "crates/protocol/src/",
            "crates/plan/src/",
            "crates/device/src/",
            "crates/client/src/",
        ],
        except: &[],
        what: "the link owns the clock: use Link::now and Link::pause",
    },
    Ban {
        words: &["unsafe"],
        inside: &[""],
        except: &[
            "crates/link/src/",
            "examples/",
            "firmware/",
            "tests/preload/",
            // simavr is C.
            "tests/simavr/src/avr.rs",
        ],
        what: "only link, firmware and the tests' preload library make system calls",
    },
    Ban {
        words: &["#[ignore]"],
        inside: &[""],
        except: &[],
        what: "say what the test needs: #[ignore = \"needs stm32flash 0.7\"]",
    },
];

/// Crates that run without an operating system.
const NO_STD: [&str; 2] = ["crates/protocol/src/lib.rs", "crates/device/src/lib.rs"];

/// Where one wire protocol must not know another.
const PROTOCOL: &str = "crates/protocol/src/";

/// Modules in it that are no protocol: the crate root, and arithmetic that several share.
const NOT_A_PROTOCOL: [&str; 2] = ["lib", "crc32"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts_ending(".rs") {
        let code = lex::code_only(text);
        findings.extend(banned(path, &code));
        findings.extend(neighbours(tree, path, &code));
        if NO_STD.contains(&path) && !code.contains("#![no_std]") {
            findings.push(Finding::file(path, "must be #![no_std]: firmware uses it"));
        }
    }
    findings
}

/// Words that must not occur.
fn banned(path: &str, code: &str) -> Vec<Finding> {
    let begins = |list: &[&str]| list.iter().any(|start| path.starts_with(start));
    let mut findings = Vec::new();
    for ban in BANS {
        if !begins(ban.inside) || begins(ban.except) {
            continue;
        }
        for (index, line) in code.lines().enumerate() {
            if let Some(word) = ban.words.iter().find(|word| has_word(line, word)) {
                let what = format!("{word}: {}", ban.what);
                findings.push(Finding::line(path, index + 1, what));
            }
        }
    }
    findings
}

/// A protocol's module does not import another protocol's.
fn neighbours(tree: &Tree, path: &str, code: &str) -> Vec<Finding> {
    let module_of = |path: &str| {
        let inside = path.strip_prefix(PROTOCOL)?;
        let module = inside.split(['/', '.']).next()?;
        (!NOT_A_PROTOCOL.contains(&module)).then(|| module.to_owned())
    };
    let Some(own) = module_of(path) else {
        return Vec::new();
    };
    let mut others: Vec<String> = tree.paths().filter_map(module_of).collect();
    others.retain(|other| *other != own);
    others.dedup();

    let mut findings = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let reached = |other: &&String| has_word(line, &format!("crate::{other}"));
        if let Some(other) = others.iter().find(reached) {
            let what = format!("one protocol must not know another: crate::{other}");
            findings.push(Finding::line(path, index + 1, what));
        }
    }
    findings
}

/// Whether the word occurs in the line, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let glued_before = before.is_some_and(part_of_name) && word.starts_with(part_of_name);
        let glued_after = after.is_some_and(part_of_name) && word.ends_with(part_of_name);
        !glued_before && !glued_after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, code: &str) -> Vec<String> {
        let tree = Tree::of(&[(path, code)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_ban_is_found_at_its_line() {
        for ban in BANS {
            for word in ban.words {
                let path = format!("{}x.rs", ban.inside[0]);
                let found = found(&path, &format!("fn f() {{\n    {word}\n}}\n"));
                assert_eq!(found.len(), 1, "{word}: {found:?}");
                assert!(
                    found[0].starts_with(&format!("{path}:2: {word}")),
                    "{found:?}"
                );
            }
        }
    }

    #[test]
    fn exceptions_and_other_folders_pass() {
        assert_eq!(found("crates/link/src/a.rs", "unsafe { f() }"), [""; 0]);
        assert_eq!(found("crates/cli/src/main.rs", "println!()"), [""; 0]);
        assert_eq!(found("crates/sim/src/serve.rs", "Instant::now()"), [""; 0]);
    }

    #[test]
    fn words_in_comments_texts_and_longer_names_pass() {
        let code = r#"
            // todo! later
            const TEXT: &str = "dbg!";
            fn is_unsafe() -> unsafe_code { my_println!() }
            #[ignore = "needs a tool"]
        "#;
        assert_eq!(found("crates/plan/src/a.rs", code), [""; 0]);
    }

    #[test]
    fn a_protocol_that_imports_another_is_found() {
        let tree = Tree::of(&[
            (
                "crates/protocol/src/serprog.rs",
                "use crate::spinor::Opcode;",
            ),
            ("crates/protocol/src/spinor.rs", "use crate::spinor::own;"),
            (
                "crates/protocol/src/spinor/own.rs",
                "use crate::crc32::Crc32;",
            ),
            ("crates/protocol/src/crc32.rs", ""),
        ]);
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/protocol/src/serprog.rs");
    }

    #[test]
    fn a_device_crate_that_needs_std_is_found() {
        assert_eq!(found("crates/protocol/src/lib.rs", "mod a;").len(), 1);
        assert_eq!(found("crates/protocol/src/lib.rs", "#![no_std]").len(), 0);
        assert_eq!(found("crates/plan/src/lib.rs", "mod a;").len(), 0);
    }
}
