//! How deep the stack of a program can get, without running it.
//!
//! The machine code itself is followed: from the vector table along every branch, with the stack
//! pointer's distance from where it was at the function's entry (DDI 0403E, "ARMv7-M Architecture
//! Reference Manual"; what a call preserves: IHI 0042, "Procedure Call Standard for the Arm
//! Architecture", section 5.1). What cannot be followed is an error and never a guess, so that a bound
//! is a proof, with these conditions:
//! - a callee leaves the registers as they were that IHI 0042 tells it to preserve;
//! - an exception is not taken again before it has returned, so each handler is counted once, and all
//!   of them may interrupt each other: no assumption about priorities is needed;
//! - the handler that many vectors share is one that does not return, or serves one of them.

mod call_graph;
mod code;
mod effects;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

pub use call_graph::{Call, CallGraph, Function, GraphError, Path, Step};
pub use code::Code;
use walk::Walked;

/// What an exception pushes: eight words, and one more where the stack has to be aligned (DDI 0403E,
/// section B1.5.7).
pub const EXCEPTION_FRAME_BYTES: u32 = 36;

/// Exceptions of the core, the reset among them: DDI 0403E, table B1-4.
const SYSTEM_EXCEPTIONS: u32 = 16;
/// Interrupts of a STM32F103 of medium density: RM0008 rev 21, table 63.
const INTERRUPTS: u32 = 43;

/// Why there is no bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// A branch or a vector leads to where no code is.
    #[error("there is no code at {address:#010x}")]
    NoCode {
        /// Where it leads.
        address: u32,
    },
    /// Two ways lead to an instruction, with different stacks.
    #[error("the stack at {pc:#010x} depends on the way there")]
    Uneven {
        /// Address of the instruction.
        pc: u32,
    },
    /// An instruction sets the stack pointer to what cannot be foreseen, or chooses another stack.
    #[error("the stack pointer cannot be followed through {pc:#010x}")]
    Unfollowed {
        /// Address of the instruction.
        pc: u32,
    },
    /// A function returns with something of its own on the stack, or without something of its caller's.
    #[error("the function returns at {pc:#010x} with another stack than it was called with")]
    Unbalanced {
        /// Address of the instruction.
        pc: u32,
    },
    /// A jump through a register or a table whose targets cannot be foreseen.
    #[error("where {pc:#010x} jumps to cannot be foreseen")]
    UnknownTarget {
        /// Address of the instruction.
        pc: u32,
    },
    /// What is reached is no instruction, or its effect is not defined.
    #[error("{pc:#010x} is reached, and is no instruction of this core")]
    NoInstruction {
        /// Address of the instruction.
        pc: u32,
    },
    /// The calls have no deepest path.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// The most that a program can have on its stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Where the stack begins: it grows downwards from here.
    pub top: u32,
    /// The deepest path from the reset.
    pub thread: Path,
    /// The deepest path of each handler, [`EXCEPTION_FRAME_BYTES`] not counted.
    pub handlers: Vec<Path>,
}

impl Bound {
    /// All of it, in bytes: the thread, and every handler once on top of each other.
    pub fn bytes(&self) -> u32 {
        let frames = self.handlers.len() as u32 * EXCEPTION_FRAME_BYTES;
        let handlers: u32 = self.handlers.iter().map(Path::bytes).sum();
        self.thread.bytes() + handlers + frames
    }
}

/// Bounds the stack of a program for a STM32F103 that has its vector table at the beginning of `code`.
///
/// `names` are the functions by their addresses, as a symbol table has them. They appear in the paths;
/// and a call through a register is taken as a call of every one of them whose address is in the
/// program as a value. Without names such a call is an error.
///
/// # Errors
/// [`StackError`] wherever something cannot be foreseen, or is unbounded.
pub fn bound(code: &Code, names: &BTreeMap<u32, String>) -> Result<Bound, StackError> {
    let table = code.base();
    let word = |index: u32| code.word(table + 4 * index);
    let missing = StackError::NoCode { address: table };
    let (Some(top), Some(reset)) = (word(0), word(1)) else {
        return Err(missing);
    };
    // Some entries are reserved, and a program without interrupts may end its table before them.
    let handlers: BTreeSet<u32> = (2..SYSTEM_EXCEPTIONS + INTERRUPTS)
        .filter_map(word)
        .filter(|&entry| entry & 1 != 0 && code.half(entry & !1).is_some())
        .map(|entry| entry & !1)
        .collect();
    let roots = handlers.iter().copied().chain([reset & !1]);
    let graph = graph(code, names, roots.collect())?;
    let mut paths = Vec::new();
    for &handler in &handlers {
        paths.push(graph.deepest(handler)?);
    }
    Ok(Bound {
        top,
        thread: graph.deepest(reset & !1)?,
        handlers: paths,
    })
}

/// Every function that can be reached, with what it calls.
fn graph(
    code: &Code,
    names: &BTreeMap<u32, String>,
    roots: Vec<u32>,
) -> Result<CallGraph, StackError> {
    let mut survey = Survey {
        code,
        walked: BTreeMap::new(),
        under_way: BTreeSet::new(),
    };
    for root in roots {
        survey.visit(root)?;
    }
    loop {
        let before = survey.walked.len();
        let pointed = survey.pointed(names);
        for &entry in &pointed {
            survey.visit(entry)?;
        }
        // What was found may hold the addresses of more.
        if survey.walked.len() == before {
            return connect(survey.walked, names, &pointed);
        }
    }
}

/// The functions that have been followed.
struct Survey<'a> {
    code: &'a Code,
    walked: BTreeMap<u32, Walked>,
    under_way: BTreeSet<u32>,
}

impl Survey<'_> {
    /// Follows the function at `entry`, and all that it calls; whether it comes back.
    fn visit(&mut self, entry: u32) -> Result<bool, StackError> {
        if let Some(walked) = self.walked.get(&entry) {
            return Ok(walked.returns);
        }
        // One that calls itself may do what it likes: there will be no bound.
        if !self.under_way.insert(entry) {
            return Ok(true);
        }
        if self.under_way.len() > call_graph::LONGEST_CHAIN {
            return Err(GraphError::TooLong.into());
        }
        let walked = walk::walk(self.code, entry, &mut |to| self.visit(to))?;
        self.under_way.remove(&entry);
        let returns = walked.returns;
        self.walked.insert(entry, walked);
        Ok(returns)
    }

    /// The functions that a call through a register may lead to; none if there is no such call.
    fn pointed(&self, names: &BTreeMap<u32, String>) -> Vec<u32> {
        let functions = self.walked.values();
        if functions.clone().all(|walked| walked.indirect.is_empty()) {
            return Vec::new();
        }
        let built: BTreeSet<u32> = functions
            .flat_map(|walked| walked.constants.iter().copied())
            .collect();
        let is_pointed = |entry: &u32| self.code.holds(entry | 1) || built.contains(&(entry | 1));
        names.keys().copied().filter(is_pointed).collect()
    }
}

/// Makes the graph, with `pointed` for each call through a register.
fn connect(
    walked: BTreeMap<u32, Walked>,
    names: &BTreeMap<u32, String>,
    pointed: &[u32],
) -> Result<CallGraph, StackError> {
    let mut graph = CallGraph::default();
    for (entry, function) in walked {
        let mut calls = function.calls;
        for site in function.indirect {
            if pointed.is_empty() {
                return Err(StackError::UnknownTarget { pc: site.pc });
            }
            calls.extend(pointed.iter().map(|&to| Call {
                to,
                bytes: site.bytes,
            }));
        }
        let unnamed = || format!("{entry:#010x}");
        graph.insert(
            entry,
            Function {
                name: names.get(&entry).cloned().unwrap_or_else(unnamed),
                bytes: function.bytes,
                calls,
            },
        );
    }
    Ok(graph)
}

#[cfg(test)]
mod tests;
