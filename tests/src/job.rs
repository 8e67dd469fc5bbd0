//! What becomes of a job on a bench on which something goes wrong.

use flashwire_client::stm32::Error;
use flashwire_plan::{Failure, Mismatch};

/// How a job ended that did not reach its end.
#[derive(Debug)]
pub enum Ended {
    /// The client said so.
    Error(Error),
    /// What was written is not there.
    Mismatch(Mismatch),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Device(error) => Self::Error(*error.downcast().unwrap()),
            Failure::Stopped => panic!("nobody asked to stop"),
        }
    }
}
