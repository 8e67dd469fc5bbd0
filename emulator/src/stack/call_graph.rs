//! Which function calls which with how much on the stack, and the deepest path through that.
//!
//! Nothing here knows a processor: whoever fills the graph counts what a call itself pushes.

use std::collections::BTreeMap;
use std::fmt;

/// A longer chain of calls is no program for a microcontroller, and might be too long for us.
pub(super) const LONGEST_CHAIN: usize = 200;

/// Why there is no deepest path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A function can call itself.
    #[error("recursion, which has no bound: {}", .0.join(" > "))]
    Recursion(Vec<String>),
    /// A function that is not in the graph is called.
    #[error("a function at {0:#010x} is called that is not known")]
    Unknown(u32),
    /// A chain of calls has no end that is worth waiting for.
    #[error("more than {LONGEST_CHAIN} calls in each other")]
    TooLong,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function that is called, by its address.
    pub to: u32,
    /// What the caller has on the stack then, in bytes, what the call itself pushes included.
    pub bytes: u32,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// For people.
    pub name: String,
    /// The most that it has on the stack itself, in bytes.
    pub bytes: u32,
    /// What it calls.
    pub calls: Vec<Call>,
}

/// A function on a path, and what it has on the stack there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// In bytes.
    pub bytes: u32,
}

/// Functions that call each other, from the first to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// What all of them have on the stack, in bytes.
    pub fn bytes(&self) -> u32 {
        self.0.iter().map(|step| step.bytes).sum()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " > " };
            write!(f, "{separator}{} {}", step.name, step.bytes)?;
        }
        Ok(())
    }
}

/// The functions of a program by their addresses.
#[derive(Clone, Debug, Default)]
pub struct CallGraph {
    functions: BTreeMap<u32, Function>,
}

/// What is known of a function while paths are looked for.
enum Known {
    /// It is on the path that is being followed.
    UnderWay,
    /// Its deepest path: how deep, and by which call if by one.
    Depth { bytes: u32, by: Option<Call> },
}

impl CallGraph {
    /// Adds a function, or replaces it.
    pub fn insert(&mut self, address: u32, function: Function) {
        self.functions.insert(address, function);
    }

    /// The path from the function at `address` that has most on the stack.
    ///
    /// # Errors
    /// [`GraphError`]; recursion that cannot be reached from there is none.
    pub fn deepest(&self, address: u32) -> Result<Path, GraphError> {
        let mut known = BTreeMap::new();
        self.measure(address, &mut Vec::new(), &mut known)?;
        let mut path = Path::default();
        let mut next = Some(address);
        while let Some(address) = next {
            let function = self.function(address)?;
            let Some(Known::Depth { by, .. }) = known.get(&address) else {
                return Err(GraphError::Unknown(address));
            };
            path.0.push(Step {
                name: function.name.clone(),
                bytes: by.map_or(function.bytes, |call| call.bytes),
            });
            next = by.map(|call| call.to);
        }
        Ok(path)
    }

    fn function(&self, address: u32) -> Result<&Function, GraphError> {
        self.functions
            .get(&address)
            .ok_or(GraphError::Unknown(address))
    }

    /// How deep it gets from the function at `address`; `chain` leads there.
    fn measure(
        &self,
        address: u32,
        chain: &mut Vec<u32>,
        known: &mut BTreeMap<u32, Known>,
    ) -> Result<u32, GraphError> {
        match known.get(&address) {
            Some(Known::Depth { bytes, .. }) => return Ok(*bytes),
            Some(Known::UnderWay) => return Err(self.recursion(address, chain)),
            None => {}
        }
        if chain.len() >= LONGEST_CHAIN {
            return Err(GraphError::TooLong);
        }
        let function = self.function(address)?;
        known.insert(address, Known::UnderWay);
        chain.push(address);
        let (mut bytes, mut by) = (function.bytes, None);
        for &call in &function.calls {
            let through = call.bytes + self.measure(call.to, chain, known)?;
            if through > bytes {
                (bytes, by) = (through, Some(call));
            }
        }
        chain.pop();
        known.insert(address, Known::Depth { bytes, by });
        Ok(bytes)
    }

    fn recursion(&self, address: u32, chain: &[u32]) -> GraphError {
        let circle = chain.iter().skip_while(|&&caller| caller != address);
        let names = circle.chain([&address]).map(|address| {
            let function = self.functions.get(address);
            function.map_or_else(String::new, |function| function.name.clone())
        });
        GraphError::Recursion(names.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Functions 1, 2, ...: what each has on the stack itself, and its calls.
    fn graph(functions: &[(u32, &[(u32, u32)])]) -> CallGraph {
        let mut graph = CallGraph::default();
        for (address, &(bytes, calls)) in (1..).zip(functions) {
            let calls = calls.iter().map(|&(to, bytes)| Call { to, bytes });
            let name = format!("f{address}");
            let calls = calls.collect();
            graph.insert(address, Function { name, bytes, calls });
        }
        graph
    }

    #[test]
    fn the_deepest_path_is_not_the_one_with_most_calls() {
        let graph = graph(&[
            (16, &[(2, 8), (4, 16)]),
            (8, &[(3, 8)]),
            (8, &[]),
            (64, &[]),
        ]);
        let path = graph.deepest(1).unwrap();
        assert_eq!(path.to_string(), "f1 16 > f4 64");
        assert_eq!(path.bytes(), 80);
    }

    #[test]
    fn what_a_function_needs_alone_may_be_more_than_any_call_of_it() {
        let graph = graph(&[(200, &[(2, 8)]), (100, &[])]);
        assert_eq!(graph.deepest(1).unwrap().to_string(), "f1 200");
    }

    #[test]
    fn recursion_is_named() {
        let graph = graph(&[(0, &[(2, 8)]), (0, &[(3, 8)]), (0, &[(2, 8)])]);
        let error = graph.deepest(1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "recursion, which has no bound: f2 > f3 > f2"
        );
    }

    #[test]
    fn recursion_that_nothing_leads_to_does_not_matter() {
        let graph = graph(&[(4, &[]), (0, &[(2, 8)])]);
        assert_eq!(graph.deepest(1).unwrap().bytes(), 4);
    }

    #[test]
    fn a_function_that_many_call_is_measured_once() {
        // Thirty times two ways to the next: a billion paths.
        let mut graph = CallGraph::default();
        for address in 0..30 {
            let to = address + 1;
            graph.insert(
                address,
                Function {
                    name: String::new(),
                    bytes: 0,
                    calls: vec![Call { to, bytes: 4 }, Call { to, bytes: 8 }],
                },
            );
        }
        let last = Function {
            name: String::new(),
            bytes: 1,
            calls: Vec::new(),
        };
        graph.insert(30, last);
        assert_eq!(graph.deepest(0).unwrap().bytes(), 30 * 8 + 1);
    }
}
