//! What the caller wants done with the flash around and under an image.

/// How [`plan`](crate::plan) goes about a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What may be erased.
    pub erase: EraseChoice,
    /// Leave alone what already holds what the image says. [`needs`](crate::needs) then asks for a
    /// look at everything that the image covers. Makes no sense with [`EraseChoice::All`].
    pub only_changed: bool,
    /// Where the image covers an erase unit only in part, read the rest first and write it back.
    /// When false, that rest is lost, and [`Summary::dropped`](crate::Summary::dropped) lists it.
    /// Units that the image does not touch are never lost under [`EraseChoice::Touched`], whatever
    /// this says.
    pub keep_outside: bool,
    /// Check everything that was written, after the last write.
    pub verify: bool,
}

impl Default for Options {
    /// Erase what is touched, keep what is outside, verify.
    fn default() -> Self {
        Self {
            erase: EraseChoice::Touched,
            only_changed: false,
            keep_outside: true,
            verify: true,
        }
    }
}

/// What may be erased for a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EraseChoice {
    /// The units that the image touches, by the quickest mix of erase kinds.
    #[default]
    Touched,
    /// The whole memory, by the quickest mix of erase kinds; nothing outside the image survives.
    All,
    /// Nothing: only what [`Rewrite`](crate::Rewrite) allows on the present content is programmed.
    None,
}
