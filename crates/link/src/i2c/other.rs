//! Systems without i2c-dev: nothing opens, so nothing else can happen.

use std::convert::Infallible;

use super::Address;
use crate::LinkError;

#[derive(Debug)]
pub(super) struct Device(Infallible);

impl Device {
    pub(super) fn open(_: &str, _: Address) -> Result<Self, LinkError> {
        Err(LinkError::Unsupported(
            "I2C on this operating system (only Linux has i2c-dev)".to_owned(),
        ))
    }

    pub(super) fn write(&mut self, _: &[u8]) -> Result<(), LinkError> {
        match self.0 {}
    }

    pub(super) fn read(&mut self, _: &mut [u8]) -> Result<bool, LinkError> {
        match self.0 {}
    }

    pub(super) fn is_there(&mut self) -> Result<bool, LinkError> {
        match self.0 {}
    }
}
