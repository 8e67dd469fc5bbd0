//! Why something is no layout.

use std::ops::Range;

use crate::error::Span;

/// Why something is no layout, or not one for this memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A line of a layout file that says nothing sensible.
    #[error("line {line}: {what}")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// There is nothing in it.
    #[error("there is no region in it")]
    NoRegions,
    /// More regions than anybody names.
    #[error("there are more than {most} regions in it")]
    TooMany {
        /// Most that are taken.
        most: usize,
    },
    /// Two regions of one name.
    #[error("two regions are called {name}")]
    SameName {
        /// The name.
        name: String,
    },
    /// Nothing has this name.
    #[error("there is no region {name}; there are: {}", known.join(", "))]
    UnknownRegion {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Two regions that are to be used together share bytes.
    #[error("the regions {first} and {second} share {range}", range = Span(range))]
    Overlap {
        /// The one that begins first.
        first: String,
        /// The other one.
        second: String,
        /// What they share.
        range: Range<u64>,
    },
    /// A region that is not all in the memory.
    #[error(
        "the region {name}, {range}, goes beyond the memory of {memory_bytes} bytes",
        range = Span(range)
    )]
    Outside {
        /// Which one.
        name: String,
        /// Its addresses.
        range: Range<u64>,
        /// The size of the memory.
        memory_bytes: u64,
    },
    /// The memory does not begin with an Intel flash descriptor.
    #[error("there is no Intel flash descriptor at the start")]
    NoDescriptor,
    /// An Intel flash descriptor that cannot be right.
    #[error("the Intel flash descriptor makes no sense: {what}")]
    BadDescriptor {
        /// Why not.
        what: String,
    },
    /// No flash map anywhere.
    #[error("there is no flash map (FMAP)")]
    NoFmap,
    /// A flash map that cannot be right.
    #[error("the flash map (FMAP) makes no sense: {what}")]
    BadFmap {
        /// Why not.
        what: String,
    },
}
